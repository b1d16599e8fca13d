package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/stampd/stampd/uplink/identity"
)

// bareTLS connects to a bare TLS server over a link, with the certificates and curves of agent and backend and nothing of
// them: what a connection costs in any case. The server answers each record with one byte.
func (l *lab) bareTLS() (*tls.Conn, *link, error) {
	server, err := tls.LoadX509KeyPair(filepath.Join(l.dir, "server.pem"), filepath.Join(l.dir, "server.key"))
	if err != nil {
		return nil, nil, err
	}
	terminal, err := tls.LoadX509KeyPair(filepath.Join(l.dir, "bare", "terminal.pem"), filepath.Join(l.dir, "bare", "terminal.key"))
	if err != nil {
		return nil, nil, err
	}
	pem, err := os.ReadFile(filepath.Join(l.dir, "ca.pem"))
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := func(own tls.Certificate) *tls.Config {
		return &tls.Config{
			MinVersion: tls.VersionTLS13, CurvePreferences: identity.Curves(), Certificates: []tls.Certificate{own},
			RootCAs: roots, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "localhost", SessionTicketsDisabled: true,
		}
	}
	listener, err := tls.Listen("tcp4", "127.0.0.1:0", config(server))
	if err != nil {
		return nil, nil, err
	}
	go answer(listener)
	k, err := newLink(listener.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	raw, err := net.Dial("tcp4", k.address())
	if err != nil {
		return nil, nil, err
	}
	conn := tls.Client(raw, config(terminal))
	return conn, k, conn.HandshakeContext(l.ctx)
}

// answer serves one connection.
func answer(listener net.Listener) {
	defer listener.Close()
	conn, err := listener.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	record := make([]byte, 16<<10)
	for {
		if _, err := conn.Read(record); err != nil {
			return
		}
		if _, err := conn.Write([]byte{1}); err != nil {
			return
		}
	}
}

// bareExchange returns what one record of that length and its answer cost.
func (l *lab) bareExchange(ctx context.Context, length int) (traffic, error) {
	conn, k, err := l.bareTLS()
	if err != nil {
		return traffic{}, fmt.Errorf("cannot connect: %w", err)
	}
	defer k.close()
	defer conn.Close()
	exchange := func() error {
		_, err := conn.Write(make([]byte, length))
		if err == nil {
			_, err = io.ReadFull(conn, make([]byte, 1))
		}
		pause(ctx, lonePause)
		return err
	}
	if err := errors.Join(exchange(), exchange()); err != nil {
		return traffic{}, err
	}
	const times = 10
	before := k.traffic()
	for range times {
		if err := exchange(); err != nil {
			return traffic{}, err
		}
	}
	t := k.traffic().less(before)
	return traffic{t.up / times, t.down / times, t.segments / times}, nil
}

// bareHandshake returns what a connection costs before anything is said.
func (l *lab) bareHandshake(ctx context.Context) (traffic, error) {
	conn, k, err := l.bareTLS()
	if err != nil {
		return traffic{}, fmt.Errorf("cannot connect: %w", err)
	}
	defer k.close()
	defer conn.Close()
	pause(ctx, 100*time.Millisecond)
	return k.traffic(), nil
}
