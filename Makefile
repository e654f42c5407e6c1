# Builds, installs and packages Stepdown.
#
#   make                                 the program, target/release/stepdown
#   make install [PREFIX=/usr/local] [DESTDIR=]
#   make uninstall [PREFIX=/usr/local] [DESTDIR=]
#   make deb                             a Debian package, target/debian/stepdown_*.deb
#   make check                           everything that has to pass
#
# `make install` builds nothing, so that root needs no compiler: run `make` first, as yourself. PROGRAM=FILE takes a program
# that has been built elsewhere.

PREFIX = /usr/local
DESTDIR =
BINDIR = $(PREFIX)/bin
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
build = build
endif

DOCS = README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE
GUIDES = $(wildcard docs/*.md)
EXAMPLES = $(wildcard examples/*)

.PHONY: all build check install uninstall deb

all: build

build:
	cargo build --release --locked -p stepdown-cli

check:
	tests/run

install:
	@test -x '$(PROGRAM)' || { echo "make install: there is no $(PROGRAM): run \`make\` first" >&2; exit 1; }
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man5' \
	    '$(DESTDIR)$(DOCDIR)/docs' '$(DESTDIR)$(DOCDIR)/examples' '$(DESTDIR)$(BASH_COMPLETIONS)' \
	    '$(DESTDIR)$(ZSH_COMPLETIONS)' '$(DESTDIR)$(FISH_COMPLETIONS)' '$(DESTDIR)$(SYSCONFDIR)/stepdown'
	$(INSTALL) -m 755 '$(PROGRAM)' '$(DESTDIR)$(BINDIR)/stepdown'
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
	rm -f '$(DESTDIR)$(BINDIR)/stepdown'
	rmdir '$(DESTDIR)$(SYSCONFDIR)/stepdown' 2>/dev/null || true

deb: $(build)
	packaging/debian/build '$(PROGRAM)' '$(CARGO_TARGET_DIR)/debian'
