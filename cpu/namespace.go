package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cpu/lib/namespace"
	"cpu/nsfile"
)

// readNamespace reads the namespace files of -n, or `default` where there are none, and joins their lines, which still know
// where they came from. They are parsed here, so that a mistake shows before a connection is made.
func readNamespace(names []string, home string, stdin io.Reader) ([]nsfile.Op, error) {
	if len(names) == 0 {
		names = []string{"default"}
	}
	var all []nsfile.Op
	for _, name := range names {
		ops, err := readNamespaceFile(name, home, stdin)
		if err != nil {
			return nil, err
		}
		all = append(all, ops...)
	}
	return all, nil
}

func readNamespaceFile(name, home string, stdin io.Reader) ([]nsfile.Op, error) {
	if name == "-" {
		return nsfile.Parse("stdin", stdin)
	}
	f, err := findNamespace(name, home)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return nsfile.Parse(name, f)
}

// findNamespace finds a name as a file, and a bare name also in $home/lib/namespace, in lib/namespace where cpu is installed, and among
// those that cpu carries.
func findNamespace(name, home string) (fs.File, error) {
	places := []string{name}
	bare := !strings.ContainsRune(name, '/') && filepath.IsLocal(name)
	if bare {
		places = append(places, filepath.Join(home, "lib", "namespace", name))
		if self, err := os.Executable(); err == nil {
			places = append(places, filepath.Join(filepath.Dir(self), "..", "lib", "namespace", name))
		}
	}
	for _, p := range places {
		info, err := os.Stat(p)
		switch {
		case err == nil && !info.IsDir():
			return os.Open(p)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	if bare {
		if f, err := namespace.Files.Open(name); err == nil {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%s: no such namespace file", name)
}
