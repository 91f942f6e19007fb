//go:build linux

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// apart is a machine whose /tmp and /home are its own. The first argument is a directory with what cpud needs, which the machine gets a copy
// of; the others are cpud's.
const apart = `set -eu
mount --make-rprivate /
mount -t tmpfs machine /mnt
cp "$0"/* /mnt
mount --move /mnt /tmp
mount -t tmpfs machine /home
exec /tmp/cpud -hk /tmp/hostkey -ak /tmp/authorized "$@"`

// atHome runs a command as somebody whose home is /home/ann, the first argument, who knows hosts by a file there and no name server, and
// has a /tmp of his own.
const atHome = `set -eu
mount --make-rprivate /
mount -t tmpfs terminal /home
mkdir /home/ann
mount --bind "$0" /home/ann
mount --bind "$0/hosts" /etc/hosts
mount --bind /dev/null /etc/resolv.conf
mount -t tmpfs terminal /tmp
export HOME=/home/ann PATH="/home/ann/bin:$PATH"
cd
exec "$@"`

// serveApart starts a cpud on a machine of the link that shares no files with the terminal but the system's.
func (l *link) serveApart(name string) *rig {
	l.t.Helper()
	addr := l.machine(name) + ":17010"
	dir := l.t.TempDir()
	public := writeKey(l.t, dir+"/hostkey")
	write(l.t, l.dir+"/.ssh/known_hosts."+name, fmt.Appendf(nil, "[%s]:17010 %s", name, ssh.MarshalAuthorizedKey(public)), 0o600)
	must(l.t, exec.Command("cp", programs+"/cpud", l.keys+"/authorized", dir))
	r := &rig{t: l.t, dir: l.dir, keys: l.keys}
	r.start(l.on(name, "unshare", "--mount", "sh", "-c", apart, dir, "-a", addr))
	r.addr = addr
	return r
}

// mpiProgram says on which machine each of its processes runs, and what they get and see. It declares what it needs of Open MPI's library
// itself, as the headers are another package.
const mpiProgram = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char ompi_mpi_comm_world, ompi_mpi_char, ompi_mpi_int, ompi_mpi_op_sum;
int MPI_Init(int *, char ***);
int MPI_Comm_rank(void *, int *);
int MPI_Comm_size(void *, int *);
int MPI_Gather(const void *, int, void *, void *, int, void *, int, void *);
int MPI_Allreduce(const void *, void *, int, void *, void *, void *);
int MPI_Finalize(void);

int main(int argc, char **argv)
{
	int rank, size, sum;
	char line[256] = "", all[64 * sizeof line], host[64], text[64] = "", name[64];
	FILE *f;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(&ompi_mpi_comm_world, &rank);
	MPI_Comm_size(&ompi_mpi_comm_world, &size);
	MPI_Allreduce(&rank, &sum, 1, &ompi_mpi_int, &ompi_mpi_op_sum, &ompi_mpi_comm_world);
	gethostname(host, sizeof host);
	if ((f = fopen(argv[1], "r")) == NULL || fgets(text, sizeof text, f) == NULL)
		perror(argv[1]);
	snprintf(line, sizeof line, "%d of %d on %s: %s, %s, %d\n", rank, size, host, text, getenv("FRUIT"), sum);
	MPI_Gather(line, sizeof line, &ompi_mpi_char, all, sizeof line, &ompi_mpi_char, 0, &ompi_mpi_comm_world);
	if (rank == 0) {
		for (int i = 0; i < size; i++)
			fputs(all + i * sizeof line, stdout);
		while (fgets(line, sizeof line, stdin))
			printf("read %s", line);
	}
	snprintf(name, sizeof name, "from%d", rank);
	if ((f = fopen(name, "w")) == NULL)
		perror(name);
	else {
		fputs(host, f);
		fclose(f);
	}
	MPI_Finalize();
	return 0;
}
`

// TestOpenMPI: Open MPI starts its daemons through cpu on two machines, and they the processes of a program that only the terminal has.
func TestOpenMPI(t *testing.T) {
	t.Parallel()
	mpirun := needs(t, "mpirun.openmpi", "openmpi-bin")
	gcc := needs(t, "gcc", "gcc")
	l := newLink(t)
	for _, dir := range []string{"/.ssh", "/bin", "/work"} {
		if err := os.Mkdir(l.dir+dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	hosts := []*rig{l.serveApart("h1"), l.serveApart("h2")}
	known := ""
	for i, h := range hosts {
		addr, _, _ := strings.Cut(h.addr, ":")
		known += fmt.Sprintf("%s h%d\n", addr, i+1)
	}
	write(t, l.dir+"/hosts", []byte(known), 0o644)
	write(t, l.dir+"/.ssh/config", []byte("UserKnownHostsFile ~/.ssh/known_hosts.%h\nIdentityAgent none\nIdentityFile ~/.ssh/key\n"), 0o600)
	must(t, exec.Command("cp", l.keys+"/key", l.dir+"/.ssh"))
	must(t, exec.Command("cp", programs+"/cpu", l.dir+"/bin"))
	write(t, l.dir+"/work/a file", []byte("of the terminal's"), 0o644)
	write(t, l.dir+"/work/hello.c", []byte(mpiProgram), 0o644)
	must(t, exec.Command(gcc, "-o", l.dir+"/work/hello", l.dir+"/work/hello.c", "-l:libmpi.so.40"))

	hello := func(mpirun string) *exec.Cmd {
		c := l.on("term", "unshare", "--mount", "sh", "-c", atHome, l.dir, mpirun, "--mca", "plm_rsh_agent", "cpu", "--host", "h1:2,h2:2", "-n", "4",
			"--wdir", "/home/ann/work", "-x", "FRUIT=a  pear", "./hello", "a file")
		c.Env = append(os.Environ(), "XDG_RUNTIME_DIR=", "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
		return c
	}
	// Named by its path, it has a line of shell set variables first.
	c := hello(mpirun)
	c.Stdin = strings.NewReader("one\ntwo\n")
	lines := strings.Split(must(t, c), "\n")
	if want := []string{
		"0 of 4 on h1: of the terminal's, a  pear, 6",
		"1 of 4 on h1: of the terminal's, a  pear, 6",
		"2 of 4 on h2: of the terminal's, a  pear, 6",
		"3 of 4 on h2: of the terminal's, a  pear, 6",
		"read one", "read two", "",
	}; !slices.Equal(lines, want) {
		t.Errorf("it said %q, want %q", lines, want)
	}
	for i, host := range []string{"h1", "h1", "h2", "h2"} {
		checkFile(t, fmt.Sprintf("%s/work/from%d", l.dir, i), host)
	}

	// One that is killed takes its daemons and the processes with it.
	c = hello("mpirun.openmpi")
	input, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for i, h := range hosts {
		if n := h.log.count("event=started", 2); n != 2 {
			t.Errorf("h%d has begun %d sessions, want 2", i+1, n)
		}
	}
	c.Process.Kill()
	c.Wait()
	for i, h := range hosts {
		if n := h.log.count("event=ended", 2); n != 2 {
			t.Errorf("of h%d's sessions %d have ended, want 2", i+1, n)
		}
	}
}
