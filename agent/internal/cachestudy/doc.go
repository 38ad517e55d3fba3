// Package cachestudy holds the study of what the planner of cache breakpoints costs
// beside other placements and beside the least possible. It is made of tests; see
// docs/caching.md.
package cachestudy
