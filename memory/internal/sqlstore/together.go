package sqlstore

import (
	"bytes"
	"context"
	"hash/crc32"
	"strconv"
)

// rowsTogether is rows, for rows that are small: a database makes one row of them if
// asked to, which then takes few allocations instead of several for each. What isn't
// complete and right is read again one by one, which tells what is wrong with it.
func (d *DB) rowsTogether(ctx context.Context, p part, limit int, together bool) ([]Row, error) {
	if together && d.Together != "" {
		var index, data []byte
		row := d.Read.QueryRowContext(ctx, d.Q(d.Together), Key(p.key, p.first), Key(p.key, p.upto), limit)
		if err := row.Scan(&index, &data); err == nil {
			if list := cut(index, data, p.first, limit); len(list) == min(limit, p.upto-p.first) {
				return list, nil
			}
		}
	}
	return d.rows(ctx, d.Read, p, limit)
}

// cut makes rows of their data. The index has three numbers for each: its position, its
// sum, and how many bytes are its own. It returns nil if they don't fit together.
func cut(index, data []byte, first, limit int) []Row {
	list := make([]Row, 0, limit)
	for len(index) > 0 {
		n, sum, size := next(&index), next(&index), next(&index)
		if n != int64(first+len(list)) || sum < 0 || size < 0 || size > int64(len(data)) {
			return nil
		}
		r := Row{uint32(sum), data[:size:size]}
		if data = data[size:]; crc32.Checksum(r.Data, castagnoli) != r.Sum {
			return nil
		}
		list = append(list, r)
	}
	if len(data) > 0 {
		return nil
	}
	return list
}

// next takes the number that a list begins with; it is -1 if there is none.
func next(list *[]byte) int64 {
	word, rest, _ := bytes.Cut(*list, []byte(" "))
	*list = rest
	if n, err := strconv.ParseInt(string(word), 10, 64); err == nil {
		return n
	}
	return -1
}
