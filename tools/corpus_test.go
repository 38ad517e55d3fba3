//lint:file-ignore SA5008,U1000 The tags and fields here are odd on purpose.

package tools_test

import (
	"encoding/json"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/invopop/jsonschema"
)

// The corpus: shapes of Go types that tools take. Each is known by a name, has
// a golden schema in testdata/schemas.txt, and is fuzzed for agreement between
// schema, checking and encoding/json.

type (
	Plain struct {
		Query string  `json:"query" jsonschema_description:"Words to look for, with commas, as they come"`
		Limit int     `json:"limit,omitempty" jsonschema:"minimum=1,maximum=50,default=10"`
		Exact bool    `json:"exact,omitzero"`
		Score float64 `json:"score"`
	}
	Untagged struct {
		Name   string
		hidden int
		Skip   string `json:"-"`
		Dash   string `json:"-,"`
		Bad    string `json:"a\"b"`
	}
	Empty    struct{}
	Pointers struct {
		A *string  `json:"a"`
		B **int    `json:"b"`
		C *Plain   `json:"c"`
		D []*Plain `json:"d"`
		E *[]int   `json:"e" jsonschema:"required"`
	}
	Node struct {
		Value    int     `json:"value"`
		Children []*Node `json:"children,omitempty"`
	}
	Forest struct {
		Trees map[string]Node `json:"trees"`
	}
	Ping struct {
		Pong *Pong `json:"pong,omitempty"`
	}
	Pong struct {
		Ping *Ping `json:"ping,omitempty"`
		N    int   `json:"n"`
	}
	Address struct {
		Street string `json:"street"`
		City   string `json:"city,omitempty"`
	}
	Repeated struct {
		Home Address            `json:"home" jsonschema_description:"Where they live"`
		Work Address            `json:"work"`
		More map[string]Address `json:"more,omitempty"`
	}
	Base struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	Stamp struct {
		At   time.Time `json:"at"`
		Name string    `json:"label"`
	}
	Embedded struct {
		Base
		Stamp
		Extra string `json:"extra"`
	}
	EmbeddedPointer struct {
		*Base
		Extra string `json:"extra"`
	}
	EmbeddedNamed struct {
		Base `json:"base"`
	}
	Left      struct{ X, Y int }
	Right     struct{ Y, Z int }
	Ambiguous struct {
		Left
		Right
	}
	Shadow struct {
		Base
		Name int `json:"name"`
	}
	Times struct {
		T time.Time  `json:"t"`
		P *time.Time `json:"p,omitempty"`
	}
	Bytes struct {
		B []byte          `json:"b"`
		A [4]byte         `json:"a"`
		R json.RawMessage `json:"r"`
		N json.Number     `json:"n"`
	}
	Maps struct {
		S map[string]int             `json:"s"`
		I map[int]string             `json:"i"`
		U map[uint8]bool             `json:"u"`
		A map[string]any             `json:"a"`
		M map[string]map[string]bool `json:"m"`
		K map[netip.Addr]int         `json:"k"`
	}
	Level  int
	Colour string
	Enums  struct {
		Level  Level    `json:"level" jsonschema:"enum=1,enum=2,enum=3"`
		Colour Colour   `json:"colour" jsonschema:"enum=red,enum=light green"`
		Many   []Colour `json:"many" jsonschema:"enum=red,enum=blue,minItems=1,uniqueItems"`
	}
	Ints struct {
		I   int    `json:"i"`
		I8  int8   `json:"i8"`
		I64 int64  `json:"i64"`
		U   uint   `json:"u"`
		U8  uint8  `json:"u8"`
		U64 uint64 `json:"u64"`
		F   float32
	}
	Quoted struct {
		I int     `json:"i,string"`
		U uint    `json:"u,string"`
		F float64 `json:"f,string"`
		B bool    `json:"b,string"`
		S string  `json:"s,string"`
	}
	Texts struct {
		IP   net.IP     `json:"ip"`
		Addr netip.Addr `json:"addr"`
		Big  *big.Int   `json:"big"`
		Rat  *big.Float `json:"rat"`
	}
	Any struct {
		X any            `json:"x"`
		L []any          `json:"l"`
		E map[string]any `json:"e" jsonschema_description:"anything"`
	}
	Page[T any] struct {
		Items []T    `json:"items"`
		Next  string `json:"next,omitempty"`
	}
	Anonymous struct {
		Range struct {
			From int `json:"from"`
			To   int `json:"to,omitempty"`
		} `json:"range"`
	}
	Arrays struct {
		Point [2]float64 `json:"point"`
		Grid  [2][2]int  `json:"grid"`
	}
	Tree        []Tree
	Self        map[string]Self
	Collections struct {
		Tree Tree `json:"tree"`
		Self Self `json:"self,omitempty"`
	}
	Described struct {
		A string   `json:"a" jsonschema:"description=First, second, and third,minLength=2,required"`
		B string   `json:"b" jsonschema:"title=A title,pattern=^a=b$,example=a=b"`
		C string   `json:"c" description:"a tag of its own, <with> signs & more"`
		D string   `json:"d" jsonschema:"description=escaped\\, comma,format=email"`
		E *string  `json:"e" jsonschema:"nullable"`
		F []int    `json:"f" jsonschema:"minItems=1,maxItems=3,minimum=5,default=5,default=6"`
		G any      `json:"g" jsonschema:"type=integer,minimum=2"`
		H Odd      `json:"h" jsonschema:"type=string"`
		I []string `json:"i" jsonschema:"pattern=^x=.$"`
	}
)

// Odd decodes its own JSON.
type Odd struct{ text string }

func (o *Odd) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &o.text) }
func (o Odd) MarshalJSON() ([]byte, error)  { return json.Marshal(o.text) }

// Custom says its own schema.
type Custom struct{ n int }

func (c *Custom) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &c.n) }
func (c Custom) MarshalJSON() ([]byte, error)  { return json.Marshal(c.n) }

func (Custom) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "integer", Minimum: "1", Description: "a custom number"}
}

// Extended adds to its schema.
type Extended struct {
	N int `json:"n"`
}

func (Extended) JSONSchemaExtend(s *jsonschema.Schema) { s.Title = "extended" }

type Customs struct {
	C  Custom   `json:"c"`
	D  *Custom  `json:"d" jsonschema_description:"another"`
	E  Extended `json:"e"`
	Cs []Custom `json:"cs"`
}

type corpusEntry struct {
	name string
	typ  reflect.Type
}

func entry[T any](name string) corpusEntry { return corpusEntry{name, reflect.TypeFor[T]()} }

// corpus is all of it.
var corpus = slices.Concat(common, rarer, shapes)

var common = []corpusEntry{
	entry[Plain]("plain"),
	entry[*Plain]("pointer to struct"),
	entry[Untagged]("untagged and ignored fields"),
	entry[Empty]("empty struct"),
	entry[map[string]int]("map at the root"),
	entry[Pointers]("pointers are optional"),
	entry[Node]("recursive at the root"),
	entry[Forest]("recursive below the root"),
	entry[Ping]("mutually recursive"),
	entry[Repeated]("one struct twice"),
	entry[Embedded]("embedded structs"),
	entry[EmbeddedPointer]("embedded by pointer"),
	entry[EmbeddedNamed]("embedded under a name"),
	entry[Ambiguous]("fields that hide each other"),
	entry[Shadow]("field that hides an embedded one"),
	entry[Times]("times"),
	entry[Bytes]("bytes, raw and numbers"),
	entry[Maps]("maps"),
	entry[Enums]("enums"),
	entry[Ints]("sizes of integers"),
	entry[Quoted]("option string"),
	entry[Texts]("types that decode text"),
	entry[Any]("any"),
	entry[Page[Plain]]("generic of a struct"),
	entry[Page[Page[int]]]("generic of a generic"),
	entry[Anonymous]("anonymous struct"),
	entry[Arrays]("fixed arrays"),
	entry[Collections]("recursive slice and map"),
	entry[Described]("tags"),
	entry[Customs]("types that say their own schema"),
}
