package ninep

import "strings"

// The dialects, as version(9P) names them.
const (
	Version9P2000  = "9P2000"       // Plan 9's
	Version9P2000L = "9P2000.L"     // Linux'
	VersionCPU     = "9P2000.L.cpu" // 9P2000.L and the messages of exportfs(4)
)

// versionUnknown is what a server answers to a version it does not speak.
const versionUnknown = "unknown"

// A dialect decides which messages there are, and how Tattach and Tauth look.
type dialect uint8

const (
	noDialect      dialect = iota // before Tversion
	dialect9P2000                 // Version9P2000
	dialect9P2000L                // Version9P2000L
	dialectCPU                    // VersionCPU
)

// dialectOf returns the dialect of that very name, or noDialect.
func dialectOf(version string) dialect {
	switch version {
	case Version9P2000:
		return dialect9P2000
	case Version9P2000L:
		return dialect9P2000L
	case VersionCPU:
		return dialectCPU
	}
	return noDialect
}

func (d dialect) String() string {
	switch d {
	case dialect9P2000:
		return Version9P2000
	case dialect9P2000L:
		return Version9P2000L
	case dialectCPU:
		return VersionCPU
	}
	return versionUnknown
}

// errorType is the type of the message in which a dialect tells of an error.
func (d dialect) errorType() uint8 {
	if d == dialect9P2000 {
		return msgRerror
	}
	return msgRlerror
}

// isError says whether a reply of that type tells of an error, in whatever dialect.
func isError(typ uint8) bool { return typ == msgRlerror || typ == msgRerror }

// negotiate returns the dialect in which to answer a peer that offers a version: that version, or what remains of it when suffixes
// are taken off at the periods, as version(9P) says. 9P2000.u is refused, for its clients mean what Plan 9's do not.
func negotiate(offered string, spoken []string) dialect {
	for v := offered; v != "" && v != "9P2000.u"; {
		for _, s := range spoken {
			if s == v {
				return dialectOf(v)
			}
		}
		i := strings.LastIndexByte(v, '.')
		if i < 0 {
			break
		}
		v = v[:i]
	}
	return noDialect
}
