package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"cpu/cpu/dial"
	"cpu/lib/dnssd"

	"golang.org/x/term"
)

// runList shows what hosts are found, or with -watch what becomes of them, until a signal comes.
func runList(f *flags, out *os.File) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	defer catchSignals(cancel).stop()
	l := &listing{out: out, json: f.json, clear: f.watch && !f.json && term.IsTerminal(int(out.Fd()))}
	if f.watch {
		err := f.finder().Watch(ctx, f.query, l.show)
		if err == nil {
			err = context.Cause(ctx)
		}
		return interrupted(ctx, err)
	}
	hosts, err := f.finder().Find(ctx, f.query, 0)
	if err != nil {
		return interrupted(ctx, err)
	}
	return l.show(hosts)
}

// A listing shows hosts.
type listing struct {
	out   io.Writer
	json  bool
	clear bool   // the screen, before each time
	last  string // that was shown
}

// show shows the hosts, if they are not as they were last time.
func (l *listing) show(hosts []dnssd.Host) error {
	format := table
	if l.json {
		format = jsonLine
	}
	text, err := format(hosts)
	if err != nil || text == l.last {
		return err
	}
	l.last = text
	if l.clear {
		text = "\x1b[H\x1b[2J" + text
	}
	_, err = io.WriteString(l.out, text)
	return err
}

// columns are the keys that have a column of their own, or are of no interest to who looks for a host.
var columns = []string{dnssd.KeyArch, dnssd.KeyOS, dnssd.KeyCores, dnssd.KeyMemAvail, dnssd.KeyMemTotal, dnssd.KeyLoad, dnssd.KeyCPU, dnssd.KeyTenants,
	dnssd.KeyVersion, dnssd.KeyHostKey}

// table is a line for each host.
func table(hosts []dnssd.Host) (string, error) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tADDRESS\tARCH\tOS\tCORES\tMEM\tLOAD\tCPU%\tTENANTS\tEXTRAS")
	for _, h := range hosts {
		var extras []string
		for _, key := range slices.Sorted(maps.Keys(h.Text)) {
			if !slices.Contains(columns, key) {
				extras = append(extras, key+"="+h.Text[key])
			}
		}
		cells := []string{h.Name.Instance, address(h), h.Text[dnssd.KeyArch], h.Text[dnssd.KeyOS], h.Text[dnssd.KeyCores],
			size(h.Text[dnssd.KeyMemAvail]) + "/" + size(h.Text[dnssd.KeyMemTotal]), h.Text[dnssd.KeyLoad], h.Text[dnssd.KeyCPU], h.Text[dnssd.KeyTenants],
			strings.Join(extras, " ")}
		for i, c := range cells {
			cells[i] = cmp.Or(dnssd.Printable(c), "-")
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	return b.String(), nil
}

// address is the first of a host's addresses, with the port unless that is cpud's own.
func address(h dnssd.Host) string {
	switch {
	case len(h.Addrs) == 0:
		return ""
	case strconv.Itoa(h.Port) == dial.DefaultPort:
		return h.Addrs[0].String()
	case h.Addrs[0].Is6():
		return "[" + h.Addrs[0].String() + "]:" + strconv.Itoa(h.Port)
	}
	return h.Addrs[0].String() + ":" + strconv.Itoa(h.Port)
}

// size is a number of bytes for people.
func size(s string) string {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return cmp.Or(s, "-")
	}
	v, unit := float64(n), ""
	for _, u := range []string{"K", "M", "G", "T"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, u
	}
	if v < 10 && unit != "" {
		return fmt.Sprintf("%.1f%s", v, unit)
	}
	return fmt.Sprintf("%.0f%s", v, unit)
}

// jsonLine is all hosts as an array, on a line.
func jsonLine(hosts []dnssd.Host) (string, error) {
	type host struct {
		Name      string            `json:"name"`
		Service   string            `json:"service"`
		Domain    string            `json:"domain"`
		Host      string            `json:"host"`
		Addresses []string          `json:"addresses"`
		Port      int               `json:"port"`
		Text      map[string]string `json:"text"`
	}
	all := []host{}
	for _, h := range hosts {
		x := host{h.Name.Instance, h.Name.Service, h.Name.Domain, h.Target, []string{}, h.Port, h.Text}
		for _, a := range h.Addrs {
			x.Addresses = append(x.Addresses, a.String())
		}
		all = append(all, x)
	}
	line, err := json.Marshal(all)
	return string(line) + "\n", err
}
