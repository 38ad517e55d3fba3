//lint:file-ignore SA5008,U1000 The tags and fields here are odd on purpose.

package tools_test

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

// Rarer shapes of the corpus.
type (
	DeepBase   struct{ Deep int }
	MiddleBase struct {
		DeepBase
		Middle int
	}
	Deeper struct {
		MiddleBase
		Top int
	}
	Twice1  struct{ Left }
	Twice2  struct{ Left }
	Diamond struct {
		Twice1
		Twice2
		Own int
	}
	TagWins struct {
		Left
		R struct{ X int } `json:"r"`
		Z int             `json:"Y"`
	}
	EmbeddedText struct {
		Colour
		N int
	}
	EmbeddedGeneric struct {
		Page[string]
		N int `json:"n"`
	}
	unexported      struct{ Visible int }
	EmbeddedHidden  struct{ unexported }
	EmbeddedIgnored struct {
		Base `json:"-"`
		N    int
	}
	SchemaWords struct {
		Ref        string            `json:"$ref"`
		Defs       map[string]string `json:"$defs"`
		Type       string            `json:"type"`
		Properties Address           `json:"properties"`
		Required   Address           `json:"required"`
		Enum       []string          `json:"enum"`
	}
	OddNames struct {
		Space  int `json:"with space"`
		Umlaut int `json:"größe"`
		Slash  int `json:"a/b~c"`
		Dot    int `json:"a.b"`
		Percnt int `json:"100%"`
	}
	Folding struct {
		Lower int `json:"name"`
		Upper int `json:"NAME"`
	}
	NamedBytes []byte
	MyByte     byte
	ByteKinds  struct {
		N NamedBytes `json:"n"`
		M []MyByte   `json:"m"`
		L [][]byte   `json:"l"`
		Z [0]int     `json:"z"`
	}
	Deadlines struct {
		List []time.Time          `json:"list"`
		Map  map[string]time.Time `json:"map"`
	}
	Omitted struct {
		A int            `json:"a,omitempty"`
		B string         `json:"b,omitzero"`
		C []int          `json:"c,omitempty"`
		D map[string]int `json:"d,omitempty"`
		E Address        `json:"e,omitzero"`
		F any            `json:"f,omitempty"`
	}
	NestedMaps struct {
		M map[string][]map[string][]int `json:"m"`
	}
	PointerMaps struct {
		M map[string]*Address `json:"m"`
		L []*int              `json:"l"`
	}
	UUID     [16]byte
	SelfText struct {
		ID    UUID          `json:"id"`
		IDs   []UUID        `json:"ids"`
		Level slog.Level    `json:"level"`
		Keyed map[UUID]UUID `json:"keyed"`
		Net   netip.Prefix  `json:"net"`
	}
	TextBase  struct{ UUID UUID }
	BoolEnum  bool
	FloatKind float32
	Scalars   struct {
		B BoolEnum  `json:"b" jsonschema:"default=true"`
		F FloatKind `json:"f" jsonschema:"minimum=0.5,exclusiveMaximum=1e3,multipleOf=0.5"`
		U uintptr   `json:"u"`
		R rune      `json:"r"`
	}
	Documented struct {
		A int `json:"a"`
		B int `json:"b" jsonschema_description:"overruled"`
	}
	Aliased struct {
		Street string `json:"street"`
		City   string `json:"city,omitempty"`
	}
	Replaced struct {
		When any `json:"when"`
	}
	OneOfTags struct {
		X any `json:"x" jsonschema:"oneof_type=string;integer"`
		Y any `json:"y" jsonschema:"anyof_type=boolean;null"`
	}
	Extras struct {
		A string `json:"a" jsonschema_extras:"x-order=1,x-kind=free text"`
	}
	OwnDefs struct {
		V Variant   `json:"v"`
		W []Variant `json:"w,omitempty"`
	}
	Hidden struct {
		Open   string `json:"open"`
		Secret string `json:"secret" jsonschema:"-"`
	}
	RequiredPointer struct {
		P *int `json:"p" jsonschema:"required"`
		Q *int `json:"q" jsonschema:"nullable,required"`
	}
	LinkedList[T any] struct {
		Head T              `json:"head"`
		Tail *LinkedList[T] `json:"tail,omitempty"`
	}
	TwoLists struct {
		A LinkedList[int]     `json:"a"`
		B LinkedList[Address] `json:"b"`
		C LinkedList[Page[Address]]
	}
	Matrix     [3][3]float64
	Alias      = Plain
	Fields     map[string]Alias
	MapOfNames map[Colour]int
	Inline     struct {
		Base `json:",inline"`
	}
	Anywhere struct {
		A struct{ B struct{ C []struct{ D int } } }
	}
)

func (u *UUID) UnmarshalText(b []byte) error { copy(u[:], b); return nil }
func (u UUID) MarshalText() ([]byte, error) {
	return []byte(strings.TrimRight(string(u[:]), "\x00")), nil
}

// GetFieldDocString documents fields in the manner of invopop/jsonschema.
func (Documented) GetFieldDocString(field string) string { return "the field " + field }

// JSONSchemaAlias shows the type as another.
func (Aliased) JSONSchemaAlias() any { return Address{} }

// JSONSchemaProperty shows a field as a value of another type.
func (Replaced) JSONSchemaProperty(name string) any {
	if name == "when" {
		return time.Time{}
	}
	return nil
}

// Variant has a schema with definitions of its own.
type Variant struct{ json.RawMessage }

// JSONSchema is what jsonschema.Reflect of another type would be.
func (Variant) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Version: jsonschema.Version, ID: "https://example.com/variant", Ref: "#/$defs/Choice",
		Definitions: jsonschema.Definitions{"Choice": {AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "integer"}}}},
	}
}

func sameName1() corpusEntry {
	type Item struct{ A int }
	type in struct{ One, Two Item }
	return entry[in]("type inside a function")
}

func sameName2() corpusEntry {
	type Item struct{ B string }
	type in struct {
		One, Two    Item
		Three, Four Left
	}
	_ = in{}
	type Left struct{ Other bool }
	type in2 struct {
		Items  []Item
		Item   Item
		Mine   Left
		Mine2  Left
		Theirs []leftOfPackage
		More   leftOfPackage
	}
	return entry[in2]("two types of one name")
}

type leftOfPackage = Left

var rarer = []corpusEntry{
	entry[Deeper]("embedded three deep"),
	entry[Diamond]("one struct embedded twice"),
	entry[TagWins]("outer field wins"),
	entry[EmbeddedText]("embedded string type"),
	entry[EmbeddedGeneric]("embedded generic"),
	entry[EmbeddedHidden]("embedded unexported struct"),
	entry[EmbeddedIgnored]("embedded and ignored"),
	entry[SchemaWords]("fields named as schema keywords"),
	entry[OddNames]("odd names"),
	entry[Folding]("names that differ in case"),
	entry[ByteKinds]("kinds of bytes"),
	entry[Deadlines]("lists and maps of times"),
	entry[Omitted]("all optional"),
	entry[NestedMaps]("maps of lists of maps"),
	entry[PointerMaps]("maps and lists of pointers"),
	entry[SelfText]("text types of our own"),
	entry[TextBase]("array that decodes text"),
	entry[Scalars]("named scalars"),
	entry[Documented]("GetFieldDocString"),
	entry[Replaced]("JSONSchemaProperty"),
	entry[OneOfTags]("unions by tag"),
	entry[Extras]("extra keywords"),
	entry[OwnDefs]("schema with definitions of its own"),
	entry[Hidden]("field hidden from the model"),
	entry[RequiredPointer]("required pointers"),
	entry[TwoLists]("recursive generics"),
	entry[struct{ M Matrix }]("matrix"),
	entry[Fields]("named map at the root"),
	entry[MapOfNames]("map with named keys"),
	entry[Inline]("option inline, which encoding/json ignores"),
	entry[Anywhere]("anonymous structs in each other"),
	entry[Custom2]("custom object at the root"),
	entry[struct{ A Aliased }]("JSONSchemaAlias"),
	sameName1(),
	sameName2(),
}

// Custom2 is an object that says its own schema.
type Custom2 struct {
	A int `json:"a"`
}

// JSONSchema is the schema of an object.
func (Custom2) JSONSchema() *jsonschema.Schema {
	p := jsonschema.NewProperties()
	p.Set("a", &jsonschema.Schema{Type: "integer"})
	return &jsonschema.Schema{Type: "object", Properties: p, Required: []string{"a"}, AdditionalProperties: jsonschema.FalseSchema}
}
