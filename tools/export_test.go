package tools

// ReflectSchema is reflectSchema, for the corpus in tools_test.
var ReflectSchema = reflectSchema
