package realtypes

import (
	"encoding/json"
	"net"
	"reflect"

	"github.com/bwmarrin/discordgo"
	tfjson "github.com/hashicorp/terraform-json"
	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/slack-go/slack"
	"github.com/stripe/stripe-go/v82"
	"github.com/zclconf/go-cty/cty"
	gitlab "gitlab.com/gitlab-org/api/client-go"
	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	compose "github.com/compose-spec/compose-go/v2/types"

	"github.com/whorl-go/whorl/tools"
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func typ[T any]() reflect.Type { return reflect.TypeFor[T]() }

const byFields = `"fields"`

// foreign gives the types that decode themselves their schemas, once for all
// tools.
var foreign = tools.Types{
	typ[meta.FieldsV1]():      raw(`{"type":"object"}`),
	typ[meta.MicroTime]():     raw(`{"type":["string","null"],"format":"date-time"}`),
	typ[resource.Quantity]():  raw(`{"type":"string","pattern":"^[0-9]+(\\.[0-9]+)?([KMGTPE]i|[mkMGTPE])?$"}`),
	typ[intstr.IntOrString](): raw(`{"type":["integer","string"],"minimum":-2147483648,"maximum":2147483647}`),

	typ[slack.JSONTime]():             raw(`{"type":"integer"}`),
	typ[discordgo.MessageComponent](): raw(`false`),
	typ[compose.Duration]():           raw(`{"type":"string","pattern":"^[0-9]{1,4}(ms|s|m|h)$"}`),
	typ[compose.UnitBytes]():          raw(`{"type":"string","pattern":"^[1-9][0-9]{0,6}[kmg]?$"}`),
	typ[slack.Blocks](): raw(`{"type":"array","items":{"anyOf":[
		{"type":"object","properties":{"type":{"const":"divider"},"block_id":{"type":"string"}},"required":["type"],"additionalProperties":false},
		{"type":"object","properties":{"type":{"const":"section"},"text":{"type":"object","properties":{"type":{"enum":["plain_text","mrkdwn"]},"text":{"type":"string"}},"required":["type","text"],"additionalProperties":false}},"required":["type","text"],"additionalProperties":false}]}}`),
	typ[cty.Type]():                      raw(`{"type":"string","enum":["string","number","bool","dynamic"]}`),
	typ[mcpgo.Meta]():                    raw(`{"type":"object"}`),
	typ[structpb.Struct]():               raw(`{"type":"object"}`),
	typ[gitlab.LabelOptions]():           raw(`{"type":"array","items":{"type":"string"}}`),
	typ[gitlab.NotificationLevelValue](): raw(`{"type":"string","enum":["disabled","participating","watch","global","mention","custom"]}`),
	typ[slack.RichTextBlock]():           raw(`false`),
	typ[googleapi.Int64s]():              raw(`{"type":"array","items":{"type":"string","pattern":"^-?[0-9]{1,18}$"}}`),
	typ[stripe.EventData]():              raw(`{"type":"object","properties":{"object":{"type":"object"},"previous_attributes":{"type":"object"}},"required":["object"],"additionalProperties":false}`),
	typ[stripe.PaymentSource]():          raw(`false`), // one of six forms, by its member "object"
	typ[net.IP]():                        raw(`{"type":"string","format":"ipv4"}`),
	typ[gitlab.ISOTime]():                raw(`{"type":"string","format":"date"}`),
}

// selfDecoding lists the struct types in a type's own package that decode
// themselves: API clients look for one more form there, such as an id in place of
// the object, and then take the fields.
func selfDecoding(root reflect.Type, kind reflect.Kind) (found []reflect.Type) {
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		if t.PkgPath() == root.PkgPath() && t.Kind() == kind && reflect.PointerTo(t).Implements(typ[json.Unmarshaler]()) {
			found = append(found, t)
		}
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				walk(t.Field(i).Type)
			}
		}
	}
	walk(root)
	return found
}

func init() {
	for _, root := range []reflect.Type{typ[stripe.Customer](), typ[stripe.Invoice](), typ[stripe.Event](), typ[drive.File](), typ[gitlab.Issue](), typ[gitlab.Project](), typ[mcpgo.Tool](), typ[tfjson.Schema]()} {
		for _, t := range selfDecoding(root, reflect.Struct) {
			if _, given := foreign[t]; !given {
				foreign[t] = raw(byFields)
			}
		}
	}
	for _, t := range selfDecoding(typ[descriptorpb.FileDescriptorProto](), reflect.Int32) {
		foreign[t] = raw(`{"type":"integer","minimum":-2147483648,"maximum":2147483647}`) // the number of an enum's value
	}
}

// samples are values of types whose zero value they can't read back.
var samples = map[reflect.Type]any{
	typ[stripe.EventData](): stripe.EventData{Raw: raw(`{}`)},
	typ[net.IP]():           net.IPv4(192, 0, 2, 1),
}
