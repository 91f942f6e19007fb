package ninep

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// traceMessage writes m as one line, in one Write: its type, and its fields by the names that the manual pages give them. Requests point
// to the server, `-> Twalk tag 3 fid 1 newfid 2 names usr include`, and replies from it, `<- Rlerror tag 3 ENOENT`, whoever traces.
// Of data only the length is shown, of directories the number of entries.
func traceMessage(w io.Writer, tag uint16, m message) {
	typ := m.typ()
	t := tracer{b: make([]byte, 0, 128)}
	if typ%2 == 0 {
		t.b = append(t.b, "-> "...)
	} else {
		t.b = append(t.b, "<- "...)
	}
	t.b = append(t.b, typeName(typ)...)
	if tag == noTag {
		t.b = append(t.b, " notag"...)
	} else {
		t.b = fmt.Appendf(t.b, " tag %d", tag)
	}
	switch m := m.(type) {
	case *rlerror:
		t.word(errnoName(m.errno))
	case *rerror:
		t.text(m.ename)
	default:
		t.fields(reflect.ValueOf(m).Elem(), typ)
	}
	w.Write(append(t.b, '\n'))
}

// A tracer is a line in the making.
type tracer struct{ b []byte }

func (t *tracer) word(s string) { t.b = append(append(t.b, ' '), s...) }

// text adds a string, quoted if it could be taken for something else.
func (t *tracer) text(s string) {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || !strconv.IsPrint(r) }) {
		s = strconv.Quote(s)
	}
	t.word(s)
}

// fields adds the fields of a message, which has nothing but numbers, strings, and what 9P has in the way of structures.
func (t *tracer) fields(m reflect.Value, typ uint8) {
	for i := range m.NumField() {
		name, v := m.Type().Field(i).Name, m.Field(i)
		switch name {
		case "data", "stat":
			if v.Kind() == reflect.Slice {
				t.word(fmt.Sprintf("count %d", v.Len()))
				continue
			}
		case "list":
			t.word(fmt.Sprintf("entries %d", v.Len()))
			continue
		}
		t.word(name)
		switch {
		case name == "flags" && (typ == msgTlopen || typ == msgTlcreate || typ == msgTopenread):
			t.word(openFlags(uint32(v.Uint())))
		case name == "perm" || name == "mode" && typ != msgTopen && typ != msgTcreate:
			t.word("0" + strconv.FormatUint(v.Uint(), 8))
		case name == "valid" && typ == msgTsetattr:
			set := setAttrMask(uint32(v.Uint()))
			t.mask(reflect.ValueOf(set))
		case name == "mask", name == "valid":
			t.mask(reflect.ValueOf(attrMask(v.Uint())))
		default:
			t.value(name, v)
		}
	}
}

func (t *tracer) value(name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if strings.HasSuffix(name, "fid") && v.Uint() == noFid {
			t.word("nofid")
		} else {
			t.word(strconv.FormatUint(v.Uint(), 10))
		}
	case reflect.Int:
		t.word(strconv.FormatInt(v.Int(), 10))
	case reflect.String:
		t.text(v.String())
	case reflect.Slice:
		for i := range v.Len() {
			t.value(name, v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[p9.QID]() {
			t.qid(v)
			return
		}
		for i := range v.NumField() {
			field := v.Type().Field(i).Name
			t.word(strings.ToLower(field))
			if field == "Mode" || field == "mode" || field == "Permissions" {
				t.word("0" + strconv.FormatUint(v.Field(i).Uint(), 8))
			} else {
				t.value(field, v.Field(i))
			}
		}
	}
}

// qid adds a qid as path.version.type, the first in hexadecimal, the last in the letters of Plan 9's %M.
func (t *tracer) qid(v reflect.Value) {
	typ := p9.QIDType(v.FieldByName("Type").Uint())
	letters := ""
	for _, l := range [...]struct {
		bit    p9.QIDType
		letter string
	}{
		{p9.TypeDir, "d"}, {p9.TypeAppendOnly, "a"}, {p9.TypeExclusive, "l"}, {p9.TypeAuth, "A"}, {p9.TypeTemporary, "t"}, {p9.TypeSymlink, "L"},
	} {
		if typ&l.bit != 0 {
			letters += l.letter
		}
	}
	if letters == "" {
		letters = "-"
	}
	t.word(fmt.Sprintf("%x.%d.%s", v.FieldByName("Path").Uint(), v.FieldByName("Version").Uint(), letters))
}

// mask adds the names of the attributes in a mask.
func (t *tracer) mask(m reflect.Value) {
	names, all := "", true
	for i := range m.NumField() {
		if m.Field(i).Bool() {
			names += "," + strings.ToLower(m.Type().Field(i).Name)
		} else {
			all = false
		}
	}
	switch {
	case all:
		t.word("all")
	case names == "":
		t.word("none")
	default:
		t.word(names[1:])
	}
}

// openFlags is the flags of Tlopen as open(2) has them.
func openFlags(flags uint32) string {
	s := [...]string{"rdonly", "wronly", "rdwr", "3"}[flags&3]
	flags &^= 3
	for _, f := range [...]struct {
		bit  uint32
		name string
	}{
		{0o100, "creat"}, {0o200, "excl"}, {0o400, "noctty"}, {0o1000, "trunc"}, {0o2000, "append"}, {0o4000, "nonblock"},
		{0o10000, "dsync"}, {0o40000, "direct"}, {0o100000, "largefile"}, {0o200000, "directory"}, {0o400000, "nofollow"},
		{0o1000000, "noatime"}, {0o2000000, "cloexec"}, {0o4000000, "sync"},
	} {
		if flags&f.bit != 0 {
			s += "|" + f.name
			flags &^= f.bit
		}
	}
	if flags != 0 {
		s += fmt.Sprintf("|%#o", flags)
	}
	return s
}

// errnoName is an error number's name on Linux.
func errnoName(errno uint32) string {
	for _, e := range errnoNames {
		if e.errno == linux.Errno(errno) {
			return e.name
		}
	}
	return fmt.Sprintf("errno %d", errno)
}

// errnoNames are the errors that file systems and connections have.
var errnoNames = []struct {
	errno linux.Errno
	name  string
}{
	{linux.E2BIG, "E2BIG"}, {linux.EACCES, "EACCES"}, {linux.EAGAIN, "EAGAIN"}, {linux.EBADF, "EBADF"}, {linux.EBADMSG, "EBADMSG"},
	{linux.EBUSY, "EBUSY"}, {linux.ECANCELED, "ECANCELED"}, {linux.ECHILD, "ECHILD"}, {linux.ECONNABORTED, "ECONNABORTED"},
	{linux.ECONNREFUSED, "ECONNREFUSED"}, {linux.ECONNRESET, "ECONNRESET"}, {linux.EDEADLK, "EDEADLK"}, {linux.EDOM, "EDOM"},
	{linux.EDQUOT, "EDQUOT"}, {linux.EEXIST, "EEXIST"}, {linux.EFAULT, "EFAULT"}, {linux.EFBIG, "EFBIG"}, {linux.EILSEQ, "EILSEQ"},
	{linux.EINTR, "EINTR"}, {linux.EINVAL, "EINVAL"}, {linux.EIO, "EIO"}, {linux.EISDIR, "EISDIR"}, {linux.ELOOP, "ELOOP"},
	{linux.EMFILE, "EMFILE"}, {linux.EMLINK, "EMLINK"}, {linux.EMSGSIZE, "EMSGSIZE"}, {linux.ENAMETOOLONG, "ENAMETOOLONG"},
	{linux.ENETDOWN, "ENETDOWN"}, {linux.ENFILE, "ENFILE"}, {linux.ENODATA, "ENODATA"}, {linux.ENODEV, "ENODEV"},
	{linux.ENOENT, "ENOENT"}, {linux.ENOEXEC, "ENOEXEC"}, {linux.ENOLCK, "ENOLCK"}, {linux.ENOMEM, "ENOMEM"}, {linux.ENOSPC, "ENOSPC"},
	{linux.ENOSYS, "ENOSYS"}, {linux.ENOTBLK, "ENOTBLK"}, {linux.ENOTCONN, "ENOTCONN"}, {linux.ENOTDIR, "ENOTDIR"},
	{linux.ENOTEMPTY, "ENOTEMPTY"}, {linux.ENOTSUP, "EOPNOTSUPP"}, {linux.ENOTTY, "ENOTTY"}, {linux.ENXIO, "ENXIO"},
	{linux.EOPNOTSUPP, "EOPNOTSUPP"}, {linux.EOVERFLOW, "EOVERFLOW"}, {linux.EPERM, "EPERM"}, {linux.EPIPE, "EPIPE"},
	{linux.EPROTO, "EPROTO"}, {linux.EPROTONOSUPPORT, "EPROTONOSUPPORT"}, {linux.ERANGE, "ERANGE"}, {linux.EROFS, "EROFS"},
	{linux.ESHUTDOWN, "ESHUTDOWN"}, {linux.ESPIPE, "ESPIPE"}, {linux.ESRCH, "ESRCH"}, {linux.ESTALE, "ESTALE"},
	{linux.ETIMEDOUT, "ETIMEDOUT"}, {linux.ETXTBSY, "ETXTBSY"}, {linux.EUSERS, "EUSERS"}, {linux.EXDEV, "EXDEV"},
}
