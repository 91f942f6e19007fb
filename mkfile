# mkfile - for mk(1), from Debian's 9base: /usr/lib/plan9/bin/mk

# Where programs and packages are built.
out=bin

prefix=/usr/local
destdir=
bin=$destdir$prefix/bin
ns=$destdir$prefix/lib/namespace
man=$destdir$prefix/share/man
unit=$destdir$prefix/lib/systemd/system
service=$destdir$prefix/share/doc/cpu/service

# Where cpu runs, and where cpud does.
CPU=linux/amd64 linux/arm64 linux/arm linux/386 linux/riscv64 darwin/arm64 freebsd/amd64 windows/amd64 plan9/amd64
CPUD=linux/amd64 linux/arm64 linux/arm linux/386 linux/riscv64

STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The programs, in $out: static, without symbols, for $GOOS and $GOARCH where they are set.
all:V:
	mkdir -p $out
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $out/ ./cpu
	test `go env GOOS` != linux || CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $out/ ./cpud

# The daemon for a small board, in $out, for $GOARCH: a tenth smaller, for calls are inlined only where that is felt, in ciphers and in 9P.
# GOFLAGS=-tags=nodnssd makes it smaller yet.
small:V:
	mkdir -p $out
	GOOS=linux CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -gcflags all=-l -gcflags crypto/...= -gcflags golang.org/x/crypto/...= \
		-gcflags cpu/lib/...= -o $out/ ./cpud

test:V:
	go test ./...

check:V: fmt vet staticcheck cross

fmt:V:
	files=`gofmt -l .`
	test -z "$files" || { echo "gofmt -w these files:" $files; exit 1; } >&2

vet:V:
	go vet ./...

staticcheck:V:
	go run $STATICCHECK -checks inherit,ST1005 ./...

cross:V:
	out=`mktemp -d`
	trap 'rm -rf "$out"' EXIT
	build() {
		echo "build $1 $2"
		GOOS=${2%/*} GOARCH=${2#*/} CGO_ENABLED=0 go build -o "$out/" "./$1"
	}
	for p in $CPU; do build cpu $p; done
	for p in $CPUD; do build cpud $p; done
	GOFLAGS="$GOFLAGS -tags=nodnssd" build cpud linux/arm

# Boots a virtual machine that is a cpu server and nothing else, in QEMU, and says how to reach it: mk 'vmflags=-smp 4' vm. See go run ./lib/vm/vm -h.
vmflags=
vm:V: all
	go run ./lib/vm/vm $vmflags

# Debian's kernel and its modules, for virtual machines where this machine has none to give.
kernel:V:
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/cpu
	dir=`mktemp -d`
	trap 'rm -rf "$dir"' EXIT
	package=`apt-cache depends linux-image-amd64 | awk '$1 == "Depends:" { print $2; exit }'`
	(cd "$dir" && apt-get -qq download "$package")
	dpkg -x "$dir"/*.deb "$dir/kernel"
	mkdir -p "$cache"
	rm -rf "$cache/kernel"
	mv "$dir/kernel" "$cache/kernel"

bench:V:
	go test -run '^$' -bench . -benchmem -timeout 60m ./lib/ninep ./cpu

install:V: all
	mkdir -p $bin $ns
	for f in $out/cpu $out/cpu.exe $out/cpud; do
		test ! -f $f || install -m 755 $f $bin
	done
	for name in cpu cpud; do
		test ! -f $out/$name || ln -sf $name $bin/de$name
	done
	for f in lib/namespace/*; do
		case $f in *.go) ;; *) install -m 644 $f $ns ;; esac
	done
	for f in man/*/*; do
		section=`basename \`dirname $f\``
		mkdir -p $man/man$section
		install -m 644 $f $man/man$section/`basename $f`.$section
	done
	test `go env GOOS` = linux || exit 0
	mkdir -p $unit $service
	for f in cpud/service/cpud.*; do
		case $f in
		*.service|*.socket) to=$unit ;;
		*) to=$service ;;
		esac
		sed s,/usr/bin/,$prefix/bin/,g $f > $to/`basename $f`
		chmod 644 $to/`basename $f`
	done

# A Debian package of all that install installs, in $out, for $GOARCH.
deb:V:
	cpud/service/debian/build $out

# How large cpud is on a small machine, and how much memory it takes.
size:V:
	go test -count=1 -v -run '^TestSize$' ./cpu

clean:V:
	rm -rf bin
