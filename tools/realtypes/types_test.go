package realtypes

import (
	"context"
	"reflect"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/bwmarrin/discordgo"
	compose "github.com/compose-spec/compose-go/v2/types"
	"github.com/digitalocean/godo"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-github/v74/github"
	tfjson "github.com/hashicorp/terraform-json"
	mcpgo "github.com/mark3labs/mcp-go/mcp"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
	runtimespec "github.com/opencontainers/runtime-spec/specs-go"
	promconfig "github.com/prometheus/common/config"
	"github.com/slack-go/slack"
	"github.com/stripe/stripe-go/v82"
	"github.com/whorl-go/whorl/tools"
	gitlab "gitlab.com/gitlab-org/api/client-go"
	"golang.org/x/oauth2"
	"google.golang.org/api/calendar/v3"
	"google.golang.org/api/drive/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A realType is a type under test.
type realType struct {
	name string
	typ  reflect.Type
	tool func(tools.Types) *tools.FuncTool // gives back what it has decoded, as JSON
}

func of[T any](name string) realType {
	return realType{name, reflect.TypeFor[T](), func(types tools.Types) *tools.FuncTool {
		echo := func(_ context.Context, in *T) (*T, error) { return in, nil }
		return tools.FuncWith("t", "", echo, tools.Options{Types: types})
	}}
}

// The 54 types: people have tried to give them, or ones like them, to tools of
// one library or another.
var realTypes = []realType{
	of[core.Toleration]("k8s Toleration"),
	of[core.Affinity]("k8s Affinity"),
	of[networking.IngressSpec]("k8s IngressSpec"),
	of[rbac.PolicyRule]("k8s PolicyRule"),
	of[meta.LabelSelector]("k8s LabelSelector"),
	of[meta.ListOptions]("k8s ListOptions"),
	of[core.Pod]("k8s Pod"),
	of[core.Container]("k8s Container"),
	of[core.EnvVar]("k8s EnvVar"),
	of[core.ConfigMap]("k8s ConfigMap"),
	of[core.ServiceSpec]("k8s ServiceSpec"),
	of[apps.Deployment]("k8s Deployment"),
	of[batch.JobSpec]("k8s JobSpec"),

	of[github.IssueRequest]("github IssueRequest"),
	of[github.Issue]("github Issue"),
	of[github.Repository]("github Repository"),
	of[github.NewPullRequest]("github NewPullRequest"),
	of[github.CreateCheckRunOptions]("github CreateCheckRunOptions"),
	of[github.PullRequest]("github PullRequest"),
	of[github.PushEvent]("github PushEvent"),

	of[stripe.CustomerParams]("stripe CustomerParams"),
	of[stripe.PaymentIntentParams]("stripe PaymentIntentParams"),
	of[stripe.Customer]("stripe Customer"),
	of[stripe.Invoice]("stripe Invoice"),
	of[stripe.Event]("stripe Event"),

	of[slack.Attachment]("slack Attachment"),
	of[slack.Message]("slack Message"),
	of[slack.Channel]("slack Channel"),
	of[discordgo.MessageEmbed]("discord MessageEmbed"),
	of[discordgo.MessageSend]("discord MessageSend"),

	of[godo.DropletCreateRequest]("godo DropletCreateRequest"),
	of[godo.Droplet]("godo Droplet"),
	of[imagespec.Manifest]("OCI Manifest"),
	of[imagespec.Image]("OCI Image"),
	of[runtimespec.Spec]("OCI runtime Spec"),
	of[compose.ServiceConfig]("compose ServiceConfig"),
	of[compose.Project]("compose Project"),

	of[openapi3.Schema]("OpenAPI Schema"),
	of[openapi3.T]("OpenAPI T"),
	of[tfjson.Plan]("terraform Plan"),
	of[tfjson.Schema]("terraform Schema"),
	of[mcpgo.Tool]("mcp-go Tool"),
	of[promconfig.HTTPClientConfig]("prometheus HTTPClientConfig"),

	of[oauth2.Token]("oauth2 Token"),
	of[calendar.Event]("calendar Event"),
	of[drive.File]("drive File"),
	of[status.Status]("rpc Status"),
	of[timestamppb.Timestamp]("protobuf Timestamp"),
	of[structpb.Struct]("protobuf Struct"),
	of[descriptorpb.FileDescriptorProto]("protobuf FileDescriptorProto"),

	of[gitlab.CreateIssueOptions]("gitlab CreateIssueOptions"),
	of[gitlab.Issue]("gitlab Issue"),
	of[gitlab.Project]("gitlab Project"),
	of[cyclonedx.BOM]("CycloneDX BOM"),
}
