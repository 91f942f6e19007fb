package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cpu/cpu/client"
	"cpu/ctlfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/term"
)

// topInterval is how often the screen is made anew, if nothing happens on the server and no key is pressed.
const topInterval = 2 * time.Second

// top shows a server's sessions on a terminal, from the files of its control tree.
type top struct {
	root     p9.File
	host     string
	out      io.Writer
	in       *os.File
	selected int // the number of a session; 0: the first
	said     string
}

// A row is a session as top shows it.
type row struct {
	number               int
	user, state, command string
	utime, stime, real   time.Duration
	requests, in, out    int64
}

// runTop shows the sessions until the user has seen enough, or ctx is done. Where the output is no terminal it shows them once.
func runTop(ctx context.Context, conn *client.Conn, host string, in, out *os.File) error {
	tree, err := conn.Tree(ctx)
	if err != nil {
		return err
	}
	root, err := tree.Attach()
	if err != nil {
		return err
	}
	defer root.Close()
	t := &top{root: root, host: host, out: out, in: in}
	if !term.IsTerminal(int(out.Fd())) || !term.IsTerminal(int(in.Fd())) {
		rows, err := t.rows(ctx)
		if err == nil {
			_, err = io.WriteString(out, t.table(rows, false, 1<<16, 1<<16))
		}
		return err
	}
	saved, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	const enter, leave = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l" // the other screen, without a cursor
	io.WriteString(out, enter)
	defer func() {
		io.WriteString(out, leave)
		term.Restore(int(in.Fd()), saved)
	}()
	return t.loop(ctx)
}

// loop shows, and does what the keys say.
func (t *top) loop(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	keys := make(chan byte)
	go func() { // not waited for: it may be in a read that never ends
		for b := make([]byte, 1); ; {
			if _, err := t.in.Read(b); err != nil {
				cancel()
				return
			}
			select {
			case keys <- b[0]:
			case <-ctx.Done():
				return
			}
		}
	}()
	events := make(chan struct{}, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() { t.watch(ctx, events) })
	for {
		rows, err := t.rows(ctx)
		if err != nil {
			return interrupted(ctx, err)
		}
		width, height, err := term.GetSize(int(t.in.Fd()))
		if err != nil || width <= 0 || height <= 0 {
			width, height = 80, 24
		}
		io.WriteString(t.out, "\x1b[H"+strings.ReplaceAll(t.table(rows, true, width, height), "\n", "\x1b[K\r\n")+"\x1b[J")
		select {
		case k := <-keys:
			if !t.key(ctx, k, rows) {
				return nil
			}
		case <-events:
		case <-time.After(topInterval):
		case <-ctx.Done():
			return nil
		}
	}
}

// key does what a key says. It returns false for the end.
func (t *top) key(ctx context.Context, k byte, rows []row) bool {
	at := max(0, slices.IndexFunc(rows, func(r row) bool { return r.number == t.selected }))
	t.said = ""
	switch k {
	case 'q', 3, 4:
		return false
	case 'j', 'n', 'B': // B and A end the sequences of the arrow keys
		at++
	case 'k', 'p', 'A':
		at--
	case 'x':
		if len(rows) > 0 {
			t.kill(ctx, rows[at].number)
		}
	}
	if len(rows) > 0 {
		t.selected = rows[min(max(at, 0), len(rows)-1)].number
	}
	return true
}

// kill ends a session.
func (t *top) kill(ctx context.Context, n int) {
	_, f, err := bound(ctx, t.root).Walk([]string{strconv.Itoa(n), "ctl"})
	if err == nil {
		defer f.Close()
		if _, _, err = bound(ctx, f).Open(p9.WriteOnly); err == nil {
			_, err = bound(ctx, f).WriteAt([]byte("kill\n"), 0)
		}
	}
	t.said = fmt.Sprintf("session %d killed", n)
	if err != nil {
		t.said = fmt.Sprintf("kill %d: %v", n, err)
	}
}

// watch says when something has happened to a session.
func (t *top) watch(ctx context.Context, happened chan<- struct{}) {
	_, f, err := bound(ctx, t.root).Walk([]string{"events"})
	if err != nil {
		return
	}
	defer f.Close()
	if _, _, err := bound(ctx, f).Open(p9.ReadOnly); err != nil {
		return
	}
	for p := make([]byte, 4<<10); ; {
		if n, err := bound(ctx, f).ReadAt(p, 0); err != nil || n == 0 {
			return
		}
		select {
		case happened <- struct{}{}:
		default:
		}
	}
}

// read reads a file of the tree.
func (t *top) read(ctx context.Context, names ...string) (string, error) {
	_, f, err := bound(ctx, t.root).Walk(names)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b bytes.Buffer
	err = controlRead(ctx, bound(ctx, f), "", nil, &b)
	return b.String(), err
}

// rows reads what there is. A session that ends meanwhile is left out.
func (t *top) rows(ctx context.Context) (rows []row, err error) {
	var list bytes.Buffer
	_, dir, err := bound(ctx, t.root).Walk(nil)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := controlList(ctx, bound(ctx, dir), "/", nil, &list); err != nil {
		return nil, err
	}
	for name := range strings.FieldsSeq(list.String()) {
		number, err := strconv.Atoi(strings.TrimSuffix(name, "/"))
		if err != nil {
			continue
		}
		r, err := t.row(ctx, number)
		if ninep.Errno(err) == linux.ENOENT {
			continue
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.number, b.number) })
	return rows, nil
}

func (t *top) row(ctx context.Context, n int) (r row, err error) {
	r.number = n
	dir := strconv.Itoa(n)
	var text [4]string
	for i, file := range []string{"ctl", "args", "status", "stats"} {
		if text[i], err = t.read(ctx, dir, file); err != nil {
			return r, err
		}
	}
	if words := strings.Fields(text[0]); len(words) == 3 {
		r.user, r.state = words[1], words[2]
	}
	r.command = strings.TrimSpace(text[1])
	if line := strings.TrimSpace(text[2]); line != "" {
		if st, err := ctlfs.ParseStatus(line[:max(0, strings.LastIndexByte(line, ' '))]); err == nil {
			r.utime, r.stime, r.real = st.User, st.Sys, st.Real
		}
	}
	for line := range strings.Lines(text[3]) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "requests":
			r.requests = v
		case "bytesin":
			r.in = v
		case "bytesout":
			r.out = v
		}
	}
	return r, nil
}

// table is the screen: a line for each session, and on a terminal what the keys do.
func (t *top) table(rows []row, live bool, width, height int) string {
	var b strings.Builder
	line := func(s string, marked bool) {
		if runes := []rune(s); len(runes) > width {
			s = string(runes[:width])
		}
		if marked {
			s = "\x1b[7m" + s + "\x1b[m"
		}
		b.WriteString(s + "\n")
	}
	if live {
		line(fmt.Sprintf("%s: %d sessions   j k: move  x: kill  q: quit   %s", t.host, len(rows), t.said), false)
		height -= 2
	}
	line(fmt.Sprintf("%5s %-10s %-8s %9s %9s %9s %9s %9s %9s %s", "N", "USER", "STATE", "UTIME", "STIME", "REAL", "9P", "IN", "OUT", "COMMAND"), false)
	at := max(0, slices.IndexFunc(rows, func(r row) bool { return r.number == t.selected }))
	from := min(max(0, at-height+2), len(rows))
	for i, r := range rows[from:] {
		if i >= height-1 {
			break
		}
		line(fmt.Sprintf("%5d %-10.10s %-8s %9s %9s %9s %9d %9s %9s %s", r.number, printable(r.user), r.state, seconds(r.utime), seconds(r.stime), seconds(r.real),
			r.requests, amount(r.in), amount(r.out), printable(r.command)), live && from+i == at)
	}
	return b.String()
}

// printable keeps what others have written from controlling the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

func seconds(d time.Duration) string {
	if d >= time.Hour {
		return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	}
	return fmt.Sprintf("%.2f", d.Seconds())
}

func amount(n int64) string {
	v, unit := float64(n), ""
	for _, u := range []string{"K", "M", "G", "T"} {
		if v < 10000 {
			break
		}
		v, unit = v/1024, u
	}
	return fmt.Sprintf("%.0f%s", v, unit)
}
