package ninep

import "sync"

// A block is room for a frame's body or a read's data.
type block struct{ b []byte }

// blockSizes are the sizes of blocks, each with room for the fields of a message beside its data.
var blockSizes = [...]int{4<<10 + 64, 16<<10 + 64, 64<<10 + 64, 256<<10 + 64, DefaultMsize + 64}

// A blockPool keeps blocks for the next to use them. Its zero value is ready.
type blockPool struct {
	pools [len(blockSizes)]sync.Pool
}

// get returns a block whose b has n bytes, of any content.
func (p *blockPool) get(n int) *block {
	for i, size := range blockSizes {
		if n <= size {
			if b, ok := p.pools[i].Get().(*block); ok {
				b.b = b.b[:n]
				return b
			}
			return &block{make([]byte, n, size)}
		}
	}
	return &block{make([]byte, n)}
}

func (p *blockPool) put(b *block) {
	for i, size := range blockSizes {
		if cap(b.b) == size {
			p.pools[i].Put(b)
			return // b is another's now
		}
	}
}
