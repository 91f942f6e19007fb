// Cpu runs a command on a cpu server, on the files of the terminal it is typed at. See cpu(1).
//
// The package is the command line and the terminal: flags, the environment, terminal modes, signals, the exit status. What a session is,
// cpu/client knows; how a host is reached, cpu/dial. Flags and the environment are read here and nowhere else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"cpu/cpu/client"
	"cpu/exportfs"
)

func main() {
	selfMain()
	posterMain()
	os.Exit(run(os.Args[1:]))
}

// statusFailed is the exit status for failures of cpu itself, as ssh has it.
const statusFailed = 255

// run is all of main but the exit.
func run(args []string) int {
	f, err := parseFlags(args, environ())
	switch {
	case errors.Is(err, errHelp):
		fmt.Print(usage)
		return 0
	case err != nil:
		return fail(err)
	case f.version:
		fmt.Println("cpu", version())
		return 0
	}
	switch {
	case f.configuration:
		err = showConfiguration(f, os.Stdout)
	case f.list:
		err = runList(f, os.Stdout)
	case f.control:
		err = connected(f, func(ctx context.Context, conn *client.Conn) error {
			return interrupted(ctx, runControl(ctx, conn, f.command))
		})
	case f.top:
		err = connected(f, func(ctx context.Context, conn *client.Conn) error {
			return interrupted(ctx, runTop(ctx, conn, f.host, os.Stdin, os.Stdout))
		})
	case f.noCommand:
		err = connected(f, waitFor)
	case f.controlDir != "" && len(f.command) == 0:
		err = connected(f, func(ctx context.Context, conn *client.Conn) error {
			return serveControl(ctx, conn, f.controlDir, f.mount)
		})
	default:
		err = runSession(f)
	}
	return report(err)
}

// environ is the environment that the flags may be in: decpu looks for a host where cpu has one by default.
func environ() func(name string) string {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == "decpu" {
		return func(string) string { return "" }
	}
	return os.Getenv
}

// report tells the user of an error, and gives the exit status for it.
func report(err error) int {
	var exit *client.ExitError
	var start *client.StartError
	var output *client.OutputError
	var done reported
	switch {
	case err == nil:
		return 0
	case errors.As(err, &done):
		return int(done)
	case errors.As(err, &exit):
		return exit.Code
	case errors.As(err, &output) && readerGone(output):
		return 0 // whoever read it has had enough, as the command had
	case errors.As(err, &start):
		fail(err)
		return start.Status.Code
	}
	return fail(err)
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "cpu:", err)
	return statusFailed
}

// version is that of the module, or of the commit, that the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12] + " " + info.GoVersion
		}
	}
	return info.Main.Version + " " + info.GoVersion
}

// exportTree is the terminal's files as the session may see them.
func exportTree(f *flags) (*exportfs.FS, error) {
	patterns := exportfs.DefaultPatterns()
	switch f.patterns {
	case "":
	case "none":
		patterns = nil
	default:
		file, err := os.Open(f.patterns)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		if patterns, err = exportfs.ParsePatterns(f.patterns, file); err != nil {
			return nil, err
		}
	}
	return exportfs.New(exportfs.Options{Root: f.root, ReadOnly: f.readOnly, Patterns: patterns})
}

// traceFile is where 9P messages are written to; the zero value is nowhere.
type traceFile struct{ *os.File }

func openTrace(name string) (traceFile, error) {
	switch name {
	case "":
		return traceFile{}, nil
	case "-":
		return traceFile{os.Stderr}, nil
	}
	f, err := os.Create(name)
	return traceFile{f}, err
}

func (t traceFile) writer() io.Writer {
	if t.File == nil {
		return nil
	}
	return t.File
}

func (t traceFile) Close() error {
	if t.File == nil || t.File == os.Stderr {
		return nil
	}
	return t.File.Close()
}

// termtype is the terminal's architecture as namespace files have it.
const termtype = runtime.GOARCH
