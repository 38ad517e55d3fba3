package postgres_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/search"
)

// as makes a user of the server by statements, and returns a URL to connect as that user.
func as(t *testing.T, user, stmts string) (url string) {
	t.Helper()
	srv, err := server()
	if err != nil {
		t.Skip(err)
	}
	conn, err := pgx.Connect(t.Context(), srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "CREATE ROLE "+user+" LOGIN; "+stmts); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(srv.URL, "postgres@", user+"@", 1)
}

// A user who has been given a schema needs no right to make one.
func TestOwnSchema(t *testing.T) {
	url := as(t, "tenant", "CREATE SCHEMA tenant AUTHORIZATION tenant")
	for range 2 {
		s, err := postgres.Open(t.Context(), url, &postgres.Options{Schema: "tenant"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Append(t.Context(), "s", memory.Position{}, input("one")); err != nil && !errors.Is(err, memory.ErrConflict) {
			t.Error(err)
		}
		s.Close()
	}
	if _, err := postgres.Open(t.Context(), url, &postgres.Options{Schema: "another"}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a schema that the user may not make: %v", err)
	}
}

// Who may only read is told so.
func TestRights(t *testing.T) {
	writer := open(t, postgres.Options{Schema: "rights"})
	url := as(t, "reader", "GRANT USAGE ON SCHEMA rights TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA rights TO reader")
	s, err := postgres.Open(t.Context(), url, &postgres.Options{Schema: "rights"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Info(t.Context(), "s"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("info: %v", err)
	}
	if err := s.Append(t.Context(), "s", memory.Position{}, input("one")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("append: %v", err)
	}
	if err := writer.Append(t.Context(), "s", memory.Position{}, input("one")); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Search(t.Context(), search.Query{Words: "one"}); err != nil || len(found) != 1 {
		t.Errorf("a search in what is not in the index yet: %+v, %v", found, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Info(t.Context(), "s"); !errors.Is(err, fs.ErrClosed) || !errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("closed: %v", err)
	}
}

// Texts are the same whatever encoding and formats the user's connections have.
func TestSettingsOfTheUser(t *testing.T) {
	url := as(t, "odd", "CREATE SCHEMA odd AUTHORIZATION odd; ALTER ROLE odd SET client_encoding = 'LATIN1'; ALTER ROLE odd SET bytea_output = 'escape';"+
		"ALTER ROLE odd SET timezone = 'Asia/Tokyo'; ALTER ROLE odd SET datestyle = 'German'; ALTER ROLE odd SET search_path = ''")
	s, err := postgres.Open(t.Context(), url, &postgres.Options{Schema: "odd"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const id = "ü €"
	if err := s.Append(t.Context(), id, memory.Position{}, input("日本")); err != nil {
		t.Fatal(err)
	}
	if err := s.SetMeta(t.Context(), id, "k", id); err != nil {
		t.Error(err)
	}
	n := 0
	for info, err := range open(t, postgres.Options{Schema: "odd"}).List(t.Context(), memory.Query{}) {
		if n++; err != nil || info.ID != id || info.Meta["k"] != id {
			t.Errorf("%q %q, %v", info.ID, info.Meta, err)
		}
	}
	if n != 1 {
		t.Errorf("%d sessions", n)
	}
}
