package dialect

import (
	"encoding/json"
	"slices"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// mergeRoot writes the branches of unions at the root, and what a reference there
// leads to, into the root itself: the service takes no union there. All their
// properties stay; which of them go together is lost, and said in the changes.
func (t *translator) mergeRoot(raw []byte) []byte {
	root := raw
	o := parse(raw)
	if ref := rawjson.Unquote(o.get("$ref")); ref != "" && o.get("$ref") != nil {
		if target, ok := t.target(root, ref); ok && ref != "#" && len(target) > 0 && target[0] == '{' {
			o.drop("$ref")
			for key, value := range rawjson.Members(target) {
				if o.get(key) == nil && key != "$anchor" && key != "$dynamicAnchor" && key != "$id" {
					o.set(key, value)
				}
			}
			t.change("#", "$ref", "what it leads to was written out")
		}
	}
	for _, union := range []string{"allOf", "anyOf", "oneOf"} {
		if v := o.get(union); v != nil {
			o.drop(union)
			t.mergeUnion(o, root, union, v)
			t.change("#", union, "the service takes none at the root: the properties of all branches are in one object")
		}
	}
	return o.bytes(raw)
}

// mergeUnion puts the properties of the branches of one union into o.
func (t *translator) mergeUnion(o *object, root []byte, union string, branches []byte) {
	properties := parse(o.get("properties"))
	forms := map[string][]string{} // of the properties that branches have
	var order []string
	var needed [][]string
	for branch := range rawjson.Elements(branches) {
		branch = t.resolved(root, branch)
		for name, sub := range rawjson.Members(rawjson.Get(branch, "properties")) {
			if forms[name] == nil {
				order = append(order, name)
			}
			if !slices.Contains(forms[name], string(sub)) {
				forms[name] = append(forms[name], string(sub))
			}
		}
		var names []string
		_ = json.Unmarshal(rawjson.Get(branch, "required"), &names)
		needed = append(needed, names)
	}
	how := "anyOf"
	if union == "allOf" {
		how = "allOf"
	}
	for _, name := range order {
		given := forms[name]
		if own := properties.get(name); own != nil {
			if how == "anyOf" || slices.Contains(given, string(own)) {
				continue // the root's own word holds in every branch
			}
			given = append([]string{string(own)}, given...)
		}
		value := []byte(given[0])
		if len(given) > 1 {
			value = []byte(`{"` + how + `":[`)
			for i, form := range given {
				if i > 0 {
					value = append(value, ',')
				}
				value = append(value, form...)
			}
			value = append(value, "]}"...)
		}
		properties.set(name, value)
	}
	if len(properties.members) > 0 {
		properties.changed = true
		o.set("properties", properties.bytes(nil))
	}
	if v := o.get("additionalProperties"); string(v) == "false" || o.get("unevaluatedProperties") != nil {
		o.drop("unevaluatedProperties") // it counted what the branches knew
	}
	var names []string
	_ = json.Unmarshal(o.get("required"), &names)
	for i, required := range needed {
		for _, name := range required {
			everywhere := union == "allOf" || i == 0 && !slices.ContainsFunc(needed, func(n []string) bool { return !slices.Contains(n, name) })
			if everywhere && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) > 0 {
		o.set("required", quoteAll(names))
	}
}

// resolved follows the reference that a branch may be.
func (t *translator) resolved(root, branch []byte) []byte {
	for range 10 {
		ref := rawjson.GetString(branch, "$ref")
		if ref == "" {
			break
		}
		target, ok := t.target(root, ref)
		if !ok {
			break
		}
		branch = target
	}
	return branch
}
