# Builds, installs and packages Stepdown.
#
#   make                                 the program, target/release/stepdown, the small launcher, target/run/release/stepdown-run,
#                                        and the C library, target/capi/libstepdown.*
#   make program, make small, make library   one of them
#   make install [PREFIX=/usr/local] [DESTDIR=]
#   make uninstall [PREFIX=/usr/local] [DESTDIR=]
#   make deb                             Debian packages, target/debian/*.deb: stepdown, libstepdown0 and libstepdown-dev
#   make check                           everything that has to pass
#
# `make install` builds nothing, so that root needs no compiler: run `make` first, as yourself. PROGRAM=FILE takes a program
# that has been built elsewhere, SMALL=FILE a launcher, LIBRARY=DIRECTORY a C library. Where the linker is to find the shared library that was
# installed, run ldconfig afterwards.

PREFIX = /usr/local
DESTDIR =
BINDIR = $(PREFIX)/bin
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/stepdown
BASH_COMPLETIONS = $(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS = $(PREFIX)/share/zsh/site-functions
FISH_COMPLETIONS = $(PREFIX)/share/fish/vendor_completions.d
SYSCONFDIR = /etc

CARGO_TARGET_DIR ?= target
INSTALL = install

ifndef PROGRAM
PROGRAM = $(CARGO_TARGET_DIR)/release/stepdown
build = program
endif
ifndef SMALL
SMALL = $(CARGO_TARGET_DIR)/run/release/stepdown-run
build += small
endif
ifndef LIBRARY
LIBRARY = $(CARGO_TARGET_DIR)/capi
build += library
endif

DOCS = README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE
GUIDES = $(wildcard docs/*.md)
EXAMPLES = $(wildcard examples/*.*)
EXAMPLES_C = $(wildcard examples/c/*)
EXAMPLES_PYTHON = $(wildcard examples/python/*)
HEADER = crates/capi/include/stepdown.h
VERSION = $(shell sed -n 's/^\#define STEPDOWN_VERSION "\(.*\)"$$/\1/p' $(HEADER))

.PHONY: all program small library check install uninstall deb

all: program small library

program:
	cargo build --release --locked -p stepdown-cli

# In its own directory, where cargo finds the flags that make it small.
small:
	cd crates/run && cargo build --release --locked --target-dir '$(abspath $(CARGO_TARGET_DIR))/run'

# Unlike the program, which is static, it is loaded into others, and has the C library from them.
library:
	RUSTFLAGS='-C target-feature=-crt-static' cargo rustc --locked -p stepdown-capi --lib --profile capi --crate-type staticlib
	crates/capi/link '$(CARGO_TARGET_DIR)/capi/libstepdown_capi.a' '$(CARGO_TARGET_DIR)/capi'

check:
	tests/run

install:
	@test -x '$(PROGRAM)' || { echo "make install: there is no $(PROGRAM): run \`make\` first" >&2; exit 1; }
	@test -x '$(SMALL)' || { echo "make install: there is no $(SMALL): run \`make\` first" >&2; exit 1; }
	@test -f '$(LIBRARY)/libstepdown.so.$(VERSION)' || { \
	    echo "make install: there is no $(LIBRARY)/libstepdown.so.$(VERSION): run \`make\` first" >&2; exit 1; }
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man5' \
	    '$(DESTDIR)$(DOCDIR)/docs' '$(DESTDIR)$(DOCDIR)/examples/c' '$(DESTDIR)$(DOCDIR)/examples/python' \
	    '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(BASH_COMPLETIONS)' \
	    '$(DESTDIR)$(ZSH_COMPLETIONS)' '$(DESTDIR)$(FISH_COMPLETIONS)' '$(DESTDIR)$(SYSCONFDIR)/stepdown'
	$(INSTALL) -m 755 '$(PROGRAM)' '$(DESTDIR)$(BINDIR)/stepdown'
	$(INSTALL) -m 755 '$(SMALL)' '$(DESTDIR)$(BINDIR)/stepdown-run'
	@set -e; umask 022; for page in $$('$(PROGRAM)' man --list); do \
	    file='$(DESTDIR)$(MANDIR)'/man$${page##*.}/$$page; \
	    echo "$$file"; '$(PROGRAM)' man $$page >"$$file"; chmod 644 "$$file"; \
	done
	'$(PROGRAM)' completions bash >'$(DESTDIR)$(BASH_COMPLETIONS)/stepdown'
	'$(PROGRAM)' completions zsh >'$(DESTDIR)$(ZSH_COMPLETIONS)/_stepdown'
	'$(PROGRAM)' completions fish >'$(DESTDIR)$(FISH_COMPLETIONS)/stepdown.fish'
	chmod 644 '$(DESTDIR)$(BASH_COMPLETIONS)/stepdown' '$(DESTDIR)$(ZSH_COMPLETIONS)/_stepdown' \
	    '$(DESTDIR)$(FISH_COMPLETIONS)/stepdown.fish'
	$(INSTALL) -m 644 $(DOCS) '$(DESTDIR)$(DOCDIR)'
	$(INSTALL) -m 644 $(GUIDES) '$(DESTDIR)$(DOCDIR)/docs'
	$(INSTALL) -m 644 $(EXAMPLES) '$(DESTDIR)$(DOCDIR)/examples'
	$(INSTALL) -m 644 $(EXAMPLES_C) '$(DESTDIR)$(DOCDIR)/examples/c'
	$(INSTALL) -m 644 $(EXAMPLES_PYTHON) '$(DESTDIR)$(DOCDIR)/examples/python'
	$(INSTALL) -m 644 $(HEADER) '$(DESTDIR)$(INCLUDEDIR)'
	$(INSTALL) -m 644 '$(LIBRARY)/libstepdown.a' '$(LIBRARY)/libstepdown.so.$(VERSION)' '$(DESTDIR)$(LIBDIR)'
	ln -sf 'libstepdown.so.$(VERSION)' '$(DESTDIR)$(LIBDIR)/libstepdown.so.0'
	ln -sf libstepdown.so.0 '$(DESTDIR)$(LIBDIR)/libstepdown.so'
	@umask 022; sed -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' \
	    crates/capi/stepdown.pc.in >'$(DESTDIR)$(LIBDIR)/pkgconfig/stepdown.pc'
	@chmod 644 '$(DESTDIR)$(LIBDIR)/pkgconfig/stepdown.pc'

# What is installed says which pages it came with. Directories that others use as well stay, and so does what somebody has
# put into /etc/stepdown.
uninstall:
	@test -x '$(DESTDIR)$(BINDIR)/stepdown' || { echo "make uninstall: there is no $(DESTDIR)$(BINDIR)/stepdown" >&2; exit 1; }
	@set -e; for page in $$('$(DESTDIR)$(BINDIR)/stepdown' man --list); do \
	    rm -f '$(DESTDIR)$(MANDIR)'/man$${page##*.}/$$page; \
	done
	rm -f '$(DESTDIR)$(BASH_COMPLETIONS)/stepdown' '$(DESTDIR)$(ZSH_COMPLETIONS)/_stepdown' \
	    '$(DESTDIR)$(FISH_COMPLETIONS)/stepdown.fish'
	rm -rf '$(DESTDIR)$(DOCDIR)'
	rm -f '$(DESTDIR)$(LIBDIR)'/libstepdown.so.0.* '$(DESTDIR)$(LIBDIR)/libstepdown.so.0' \
	    '$(DESTDIR)$(LIBDIR)/libstepdown.so' '$(DESTDIR)$(LIBDIR)/libstepdown.a' \
	    '$(DESTDIR)$(LIBDIR)/pkgconfig/stepdown.pc' '$(DESTDIR)$(INCLUDEDIR)/stepdown.h'
	rm -f '$(DESTDIR)$(BINDIR)/stepdown' '$(DESTDIR)$(BINDIR)/stepdown-run'
	rmdir '$(DESTDIR)$(SYSCONFDIR)/stepdown' 2>/dev/null || true

deb: $(build)
	packaging/debian/build '$(PROGRAM)' '$(SMALL)' '$(LIBRARY)' '$(CARGO_TARGET_DIR)/debian'
