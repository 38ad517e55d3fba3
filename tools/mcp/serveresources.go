package mcp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/yosida95/uritemplate/v3"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// ErrNoResource is the error that [Resource].Read returns if there is no resource at the
// URI.
var ErrNoResource = errors.New("mcp: there is no such resource")

// A Resource is content that a server lets clients read.
type Resource struct {
	// URI names the resource, such as "notes://today". A URI template (RFC 6570), such as
	// "notes://{day}", names many.
	URI string
	// Name is for programs, Description for models.
	Name, Description string
	// MediaType is the media type of the content; empty means that it isn't known in
	// advance.
	MediaType string
	// Read returns the content of uri: texts, pictures and documents. parts are the
	// values of the template's variables in uri. Read may ask the client's user through
	// [tools.HostOf].
	Read func(ctx context.Context, uri string, parts map[string]string) ([]transport.Block, error)
	// Complete returns completions for a variable of the template; see [Prompt].
	Complete Completer
}

// A Completer returns values that begin with the text that a user has typed so far.
// others are the arguments that the user has already filled in.
type Completer func(ctx context.Context, argument, typed string, others map[string]string) ([]string, error)

func (s *served) addResource(server *sdk.Server, i int, r Resource) error {
	if r.Read == nil || r.URI == "" {
		return fmt.Errorf("mcp: resource %d (%q) needs a URI and a Read", i, r.URI)
	}
	template, err := uritemplate.New(r.URI)
	if err != nil {
		return fmt.Errorf("mcp: the URI template %q: %w", r.URI, err)
	}
	if len(template.Varnames()) == 0 {
		if !uriPattern.MatchString(r.URI) {
			return fmt.Errorf("mcp: %q is no absolute URI", r.URI)
		}
		server.AddResource(&sdk.Resource{URI: r.URI, Name: r.Name, Description: r.Description, MIMEType: r.MediaType}, s.readResource(r, nil))
		return nil
	}
	if !uriPattern.MatchString(strings.SplitN(r.URI, "{", 2)[0] + "x") {
		return fmt.Errorf("mcp: the URI template %q has no scheme in front", r.URI)
	}
	server.AddResourceTemplate(&sdk.ResourceTemplate{URITemplate: r.URI, Name: r.Name, Description: r.Description, MIMEType: r.MediaType}, s.readResource(r, template))
	return nil
}

var uriPattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:.`)

func (s *served) readResource(r Resource, template *uritemplate.Template) sdk.ResourceHandler {
	return func(ctx context.Context, req *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		ctx, done := withRequest(ctx)
		defer done()
		uri := req.Params.URI
		parts := map[string]string{}
		if template != nil {
			for name, v := range template.Match(uri) {
				parts[name] = v.String()
			}
		}
		q := &request{session: req.Session, offers: req.ClientCapabilities(), state: req.Params.RequestState, responses: req.Params.InputResponses, principal: principalOf(req.Extra)}
		q.boundTo("resource", uri, nil)
		host, err := s.host(q)
		if err != nil {
			return nil, err
		}
		var blocks []transport.Block
		err = guarded("the resource", s.log, func() error {
			var err error
			blocks, err = r.Read(tools.WithCall(ctx, tools.CallInfo{ID: host.state.Key, Key: host.state.Key, Name: r.Name, Host: host}), uri, parts)
			return err
		})
		if requests, state, sealErr := s.waits(host, err); sealErr != nil {
			return nil, sealErr
		} else if requests != nil {
			return &sdk.ReadResourceResult{InputRequests: requests, RequestState: state}, nil
		}
		if errors.Is(err, ErrNoResource) {
			return nil, sdk.ResourceNotFoundError(uri)
		}
		if unable := host.unable(err); unable != nil {
			return nil, unable
		}
		if err != nil {
			return nil, err
		}
		result := &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{}}
		for _, b := range blocks {
			result.Contents = append(result.Contents, contentsOf(uri, r.MediaType, b))
		}
		return result, nil
	}
}

// contentsOf is a block as the content of a resource.
func contentsOf(uri, kind string, b transport.Block) *sdk.ResourceContents {
	c := &sdk.ResourceContents{URI: uri, MIMEType: kind}
	source := rawjson.Get(b.Raw(), "source")
	switch {
	case b.Type() == transport.TypeText:
		c.Text = rawjson.GetString(b.Raw(), "text")
	case rawjson.GetString(source, "type") == "text":
		c.Text = rawjson.GetString(source, "data")
	default:
		data, err := base64.StdEncoding.DecodeString(rawjson.GetString(source, "data"))
		if err != nil || len(data) == 0 {
			c.Text = string(b.Raw())
			return c
		}
		c.Blob = data
		if t := rawjson.GetString(source, "media_type"); t != "" {
			c.MIMEType = t
		}
	}
	return c
}
