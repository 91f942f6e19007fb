package ninep

// Limits of a connection. A peer that goes beyond one gets the error named, or where none is named loses its connection.
const (
	// HeaderSize is what a read or write message has besides its data, rounded up (IOHDRSZ in intro(9P)'s terms).
	HeaderSize = 24

	// MinMsize and DefaultMsize bound the size of a message in bytes, header included; see version(9P). A Tversion below MinMsize is
	// refused with EINVAL; one above the server's is brought down to it.
	MinMsize     = 4 << 10
	DefaultMsize = 1<<20 + HeaderSize

	// MaxFids is how many fids a connection may hold. One more gets EMFILE.
	MaxFids = 1 << 18

	// MaxRequests is how many requests of a connection are worked on at once. As many more wait for one of them to be answered, if
	// they are small, while a Tflush, a Tclunk and a Tversion are always taken; beyond that the server reads no further frames.
	MaxRequests = 1 << 10

	// MaxData is how many bytes of data the requests of a connection may hold that are worked on, both of those written and of those
	// read. More requests wait.
	MaxData = 64 << 20

	// MaxWalk is MAXWELEM: the names in one Twalk. More get EINVAL.
	MaxWalk = 16

	// MaxName is the length of one name in bytes (NAME_MAX). A longer one gets ENAMETOOLONG.
	MaxName = 255

	// MaxPath is the length of a symbolic link's target, an aname or an extended attribute's name in bytes (PATH_MAX).
	// A longer one gets ENAMETOOLONG.
	MaxPath = 4096

	// MaxXattr is the size of an extended attribute's value in bytes (XATTR_SIZE_MAX). A larger one gets E2BIG.
	MaxXattr = 64 << 10
)
