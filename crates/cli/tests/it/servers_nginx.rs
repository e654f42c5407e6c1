//! nginx on port 80: master and workers without root, and a new low port after a reload.

use crate::servers::{BIND, NO_CAPABILITY, NONE, Server, ask, assert_words, family, own_directory};
use crate::support::{Node, SAMPLE, have};

/// A configuration of nginx that keeps all it writes in the directory `web`, which belongs to `ecuser`.
fn nginx(node: &Node, ports: &[u16]) {
    let servers: String = ports
        .iter()
        .map(|port| format!("server {{ listen 127.0.0.1:{port}; return 200 \"port {port}\\n\"; }}\n"))
        .collect();
    let dir = node.dir.join("web");
    let dir = dir.display();
    node.file(
        "nginx.conf",
        &format!(
            "daemon off; worker_processes 2; pid {dir}/pid; error_log {dir}/error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path {dir}/1; proxy_temp_path {dir}/2;\n\
             fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;\n{servers}}}\n"
        ),
    );
}

/// Starts nginx; `None` where it is not installed.
fn start(node: &Node, security: &str, ports: &[u16]) -> Option<Server> {
    if !have("nginx") || !have("curl") {
        return None;
    }
    let dir = own_directory(node, "web");
    nginx(node, ports);
    let configuration = node.dir.join("nginx.conf");
    let program =
        ["nginx", "-e", &format!("{}/error.log", dir.display()), "-c", &configuration.display().to_string()];
    Some(Server::start(node, security, &program))
}

/// Waits until the master has its two workers.
fn has_its_workers(server: &mut Server) {
    let master = server.id();
    server.until("there are two workers", || (family(master).len() == 3).then_some(()));
}

fn get(node: &Node, port: u16) -> Option<String> {
    ask(node, &format!("curl -sS --max-time 30 http://127.0.0.1:{port}/"))
}

fn error_log(node: &Node) -> String {
    std::fs::read_to_string(node.dir.join("web/error.log")).unwrap_or_default()
}

#[test]
fn nginx_serves_port_80_and_no_process_of_it_is_root() {
    let Some(node) = Node::new() else { return };
    let Some(mut server) = start(&node, SAMPLE, &[80]) else { return };
    let answer = server.until("port 80 answers", || get(&node, 80));
    assert_eq!(answer, "port 80\n");
    has_its_workers(&mut server);
    assert_eq!(server.is_unprivileged(BIND), 3, "the master and its two workers");
    assert_eq!(server.log(), "", "nothing is printed on success");
}

#[test]
fn without_the_capability_nginx_does_not_get_port_80() {
    let Some(node) = Node::new() else { return };
    let Some(mut server) = start(&node, NO_CAPABILITY, &[80]) else { return };
    assert_eq!(server.end(), Some(1));
    assert_words(&server.log(), &["bind() to 127.0.0.1:80 failed (13: Permission denied)"]);
}

#[test]
fn with_the_capability_a_reload_opens_a_new_low_port_without_a_restart() {
    let Some(node) = Node::new() else { return };
    let Some(mut server) = start(&node, SAMPLE, &[80]) else { return };
    server.until("port 80 answers", || get(&node, 80));
    assert_eq!(get(&node, 81), None, "port 81 is not served yet");
    let id = server.id();
    nginx(&node, &[80, 81]);
    server.signal("HUP");
    let answer = server.until("port 81 answers", || get(&node, 81));
    assert_eq!(answer, "port 81\n");
    assert_eq!(get(&node, 80).as_deref(), Some("port 80\n"), "the old port is still served");
    assert!(server.runs() && server.id() == id, "it is the same process");
    has_its_workers(&mut server);
    assert_eq!(server.is_unprivileged(BIND), 3, "the workers that the reload made are looked at, too");
}

#[test]
fn without_the_capability_a_reload_can_not_open_a_low_port() {
    let Some(node) = Node::new() else { return };
    let Some(mut server) = start(&node, NO_CAPABILITY, &[8080]) else { return };
    server.until("port 8080 answers", || get(&node, 8080));
    nginx(&node, &[8080, 81]);
    server.signal("HUP");
    let refused = "bind() to 127.0.0.1:81 failed (13: Permission denied)";
    server.until("the bind is refused", || error_log(&node).contains(refused).then_some(()));
    assert_eq!(get(&node, 81), None);
    assert_eq!(get(&node, 8080).as_deref(), Some("port 8080\n"), "it goes on as it was");
    server.is_unprivileged(NONE);
}

/// A master that started as root drops its workers' rights through a `user` line; one that steps down needs none, and a
/// line that asks for another user gets nowhere.
#[test]
fn a_user_line_in_the_configuration_of_nginx_changes_nothing() {
    let Some(node) = Node::new() else { return };
    if !have("nginx") || !have("curl") {
        return;
    }
    own_directory(&node, "web");
    nginx(&node, &[80]);
    let path = node.dir.join("nginx.conf");
    let text = format!("user root;\n{}", std::fs::read_to_string(&path).unwrap());
    node.file("nginx.conf", &text);
    let log = node.dir.join("web/error.log");
    let program = ["nginx", "-e", &log.display().to_string(), "-c", &path.display().to_string()];
    let mut server = Server::start(&node, SAMPLE, &program);
    server.until("port 80 answers", || get(&node, 80));
    has_its_workers(&mut server);
    assert_eq!(server.is_unprivileged(BIND), 3);
    assert_words(&error_log(&node), &["the \"user\" directive makes sense only if the master process runs"]);
}
