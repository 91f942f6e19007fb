//go:build linux

package mnt

import "sync/atomic"

// Options are what a mount is to look like. The zero value is ready.
type Options struct {
	// FSName is the source shown in /proc/mounts, such as term. Empty: 9p.
	FSName string

	// ReadOnly mounts with MS_RDONLY.
	ReadOnly bool

	// CheckModes has the kernel check every access by the modes and owners of files, besides what the far side checks: for a tree that is
	// served with one user's rights to several.
	CheckModes bool

	// Stats is counted in, and may be shared by mounts; nil: not counted.
	Stats *Stats

	// IDs are user and group ids as the far side has them and as this mount shows them, in both directions. Other ids pass as they are.
	// v9fs cannot map ids and ignores them.
	IDs []IDMap

	// private lets nobody in but the user who mounts: a tree that [MountTree] mounts is attached as him.
	private bool
}

// Stats counts what the kernel asks of mounts that are served by FUSE.
type Stats struct {
	Requests atomic.Int64 // so far, but for those that ask for nothing
	Hits     atomic.Int64 // names, attributes and data that were known, and not asked for at the far side
}

// AnyID as IDMap.Far stands for every id that no other entry has. A kernel refuses to write where the owner has no number in a mount's user
// namespace, whatever the far side says; so a mount in one shows such files as somebody's who has.
const AnyID = ^uint32(0)

// IDMap is one user id, or group id, that has another number here than at the far side.
type IDMap struct {
	Far, Near uint32
	Group     bool
}
