# zsh -f completions.zsh DIRECTORY LINE: what an interactive zsh offers when TAB is pressed behind LINE.
#
# DIRECTORY holds the completion script as `_stepdown`. Prints the matches, a line each, then `line ` and the line as
# TAB has left it. Nothing is timed: the keys wait for the prompt, and the shell ends by a key of its own.
zmodload zsh/zpty
dir=$1
cat >$dir/.zshrc <<'END'
fpath=($ZDOTDIR $fpath)
autoload -Uz compinit
compinit -u -D
setopt no_beep no_list_beep
LISTMAX=10000
# Every match that is added is written down on the way.
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * || ${@[1,(i)(-|--)]} == *-[a-zA-Z]#(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a hits
    builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- $hits >>$ZDOTDIR/out
    builtin compadd "$@"
}
leave() {
    print -r -- "line $BUFFER" >>$ZDOTDIR/out
    exit 0
}
zle -N leave
bindkey '^X' leave
bindkey '^I' complete-word
PROMPT='READY'
END
: >$dir/out
zpty shell "TERM=dumb ZDOTDIR=${(q)dir} zsh -d -i"
zpty -r shell seen '*READY*'
zpty -w -n shell "$2"$'\t\x18'
while zpty -r shell seen; do :; done
grep -v '^line ' $dir/out | sort -u
grep '^line ' $dir/out
