//go:build linux

package vm

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Kernel is a Linux kernel and its modules, as Debian's package has them.
type Kernel struct {
	Image   string // boot/vmlinuz-VERSION
	Modules string // lib/modules/VERSION
}

// FindKernel gives a kernel from the first of the directories that has one that can be read, its modules included: an unpacked package, or / for
// the machine's own. Of several in a directory it is the last by name. Without any the error is fs.ErrNotExist, and names the directories.
func FindKernel(dirs ...string) (Kernel, error) {
	for _, dir := range dirs {
		images, err := filepath.Glob(dir + "/boot/vmlinuz-*")
		if err != nil {
			return Kernel{}, fmt.Errorf("%s: %w", dir, err)
		}
		for i := len(images) - 1; i >= 0; i-- {
			_, version, _ := strings.Cut(filepath.Base(images[i]), "-")
			k := Kernel{Image: images[i], Modules: filepath.Join(dir, "lib/modules", version)}
			f, err := os.Open(k.Image)
			if err != nil {
				continue
			}
			f.Close()
			if _, err := os.Stat(k.Modules); err == nil {
				return k, nil
			}
		}
	}
	return Kernel{}, fmt.Errorf("%s: no boot/vmlinuz-VERSION that can be read, with lib/modules/VERSION: %w", strings.Join(dirs, " "), fs.ErrNotExist)
}

// module is one of a kernel's modules, ready to be loaded.
type module struct {
	name string
	data []byte
}

// load reads the named modules and those that they depend on, each after those. What is built into the kernel is left out.
func (k Kernel) load(names []string) ([]module, error) {
	files, err := k.files()
	if err != nil {
		return nil, err
	}
	var all []module
	seen := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		file, ok := files[name]
		if !ok {
			return fmt.Errorf("%s: no module %s", k.Modules, name)
		}
		if file == "" {
			return nil
		}
		data, err := readModule(file)
		if err != nil {
			return err
		}
		depends, err := dependencies(data)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, d := range depends {
			if err := add(moduleName(d)); err != nil {
				return err
			}
		}
		all = append(all, module{name, data})
		return nil
	}
	for _, name := range names {
		if err := add(moduleName(name)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// files gives the file of each module, "" for one that is built in.
func (k Kernel) files() (map[string]string, error) {
	files := map[string]string{}
	builtin, err := os.ReadFile(k.Modules + "/modules.builtin")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(builtin)) {
		files[moduleName(strings.TrimSpace(line))] = ""
	}
	return files, filepath.WalkDir(k.Modules, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), ".ko") {
			files[moduleName(path)] = path
		}
		return err
	})
}

// moduleName is what the kernel calls the module of a file, or one that is named with dashes.
func moduleName(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// readModule reads a module, which may be compressed: a guest need not be able to expand it.
func readModule(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	switch ext := filepath.Ext(path); ext {
	case ".ko":
		return data, nil
	case ".gz":
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err == nil {
			data, err = io.ReadAll(z)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return data, nil
	case ".xz", ".zst":
		c := exec.Command(map[string]string{".xz": "xz", ".zst": "zstd"}[ext], "-dc")
		c.Stdin = bytes.NewReader(data)
		if data, err = c.Output(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return data, nil
	}
	return nil, fmt.Errorf("%s: unknown kind of module", path)
}

// dependencies reads the names that a module says it depends on.
func dependencies(data []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, errors.New("no .modinfo: not a module")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for field := range bytes.SplitSeq(info, []byte{0}) {
		if list, ok := bytes.CutPrefix(field, []byte("depends=")); ok {
			return strings.FieldsFunc(string(list), func(r rune) bool { return r == ',' }), nil
		}
	}
	return nil, nil
}
