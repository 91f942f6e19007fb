module cpu

go 1.26.0

require (
	9fans.net/go v0.0.8-0.20250307142834-96bdba94b63f // indirect
	github.com/creack/pty v1.1.24 // indirect
	github.com/hugelgupf/p9 v0.4.1 // indirect
	github.com/kevinburke/ssh_config v1.6.0 // indirect
	github.com/u-root/uio v0.0.0-20230305220412-3e8cd9d6bf63 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/term v0.48.0 // indirect
)
