// Package cacheplan decides where a request is marked for the service's prompt
// cache, for how long, and whether a shorter prompt would pay. It is pure: a plan
// is a function of the prompt, of the requests that were answered before it, and
// of the time. Package agent asks it before each request.
package cacheplan
