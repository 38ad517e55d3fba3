package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/storetest"
)

// One bad record among many that are read together ends a session there, after all
// records before it.
func TestLoadDamagedAmongMany(t *testing.T) {
	for name, damage := range map[string]string{
		"its sum":           "UPDATE records SET sum = sum + 1 WHERE id & 4294967295 = 777",
		"its bytes":         "UPDATE records SET data = CAST(replace(CAST(data AS TEXT), 'e', 'f') AS BLOB) WHERE id & 4294967295 = 777",
		"it is gone":        "DELETE FROM records WHERE id & 4294967295 = 777",
		"its data is empty": "UPDATE records SET data = x'' WHERE id & 4294967295 = 777",
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
			storetest.Fill(t, s, "s", 500)
			if _, err := s.DB().Exec(damage); err != nil {
				t.Fatal(err)
			}
			n := 0
			var err error
			for _, err = range s.Load(t.Context(), "s", memory.Position{}) {
				if err == nil {
					n++
				}
			}
			var bad *memory.RecordError
			if !errors.As(err, &bad) || bad.Record != 777 || n != 777 {
				t.Errorf("it ended after %d records with %v", n, err)
			}
			n = 0
			for _, err := range s.Load(t.Context(), "s", memory.Position{Records: 778}) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if want := 500*storetest.RecordsPerStep + 1 - 778; n != want {
				t.Errorf("%d records behind it, not %d", n, want)
			}
		})
	}
}
