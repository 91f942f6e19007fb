package exportfs

import "github.com/hugelgupf/p9/p9"

// The open flags of 9P2000.L: open(2)'s, with the numbers most Linux systems have. Those not named here are not heeded:
// direct, asynchronous and non-blocking I/O and the like concern the far kernel only.
const (
	flagExcl      p9.OpenFlags = 0o200
	flagTrunc     p9.OpenFlags = 0o1000
	flagAppend    p9.OpenFlags = 0o2000
	flagDsync     p9.OpenFlags = 0o10000
	flagDirectory p9.OpenFlags = 0o200000
	flagNofollow  p9.OpenFlags = 0o400000
	flagNoatime   p9.OpenFlags = 0o1000000
	flagSync      p9.OpenFlags = 0o4000000
)

// removeDir is unlinkat(2)'s AT_REMOVEDIR in Tunlinkat.
const removeDir = 0x200

// changes says whether opening with these flags can change the file, now or later.
func changes(f p9.OpenFlags) bool { return f.Mode() != p9.ReadOnly || f&flagTrunc != 0 }
