//go:build linux

package mnt

// Options are what a mount is to look like. The zero value is ready.
type Options struct {
	// FSName is the source shown in /proc/mounts, such as term. Empty: 9p.
	FSName string

	// ReadOnly mounts with MS_RDONLY.
	ReadOnly bool

	// CheckModes has the kernel check every access by the modes and owners of files, besides what the far side checks: for a tree that is
	// served with one user's rights to several.
	CheckModes bool

	// IDs are user and group ids as the far side has them and as this mount shows them, in both directions. Other ids pass as they are.
	// v9fs cannot map ids and ignores them.
	IDs []IDMap
}

// AnyID as IDMap.Far stands for every id that no other entry has. A kernel refuses to write where the owner has no number in a mount's user
// namespace, whatever the far side says; so a mount in one shows such files as somebody's who has.
const AnyID = ^uint32(0)

// IDMap is one user id, or group id, that has another number here than at the far side.
type IDMap struct {
	Far, Near uint32
	Group     bool
}
