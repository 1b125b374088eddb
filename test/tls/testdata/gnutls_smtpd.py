# An SMTP server whose TLS is GnuTLS, by ctypes: a port of loopback for each line "PRIORITY|CERTIFICATE|KEY" of its input. It prints
# "ready" and the ports when it listens, and for each message "RECIPIENT|DESCRIPTION", what the library says that the session is.
import ctypes
import socket
import sys
import threading

g = ctypes.CDLL("libgnutls.so.30")
g.gnutls_strerror.restype = ctypes.c_char_p
g.gnutls_session_get_desc.restype = ctypes.c_void_p
g.gnutls_record_recv.restype = ctypes.c_ssize_t
g.gnutls_record_send.restype = ctypes.c_ssize_t
for name in ("gnutls_record_recv", "gnutls_record_send"):
    getattr(g, name).argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
SERVER, X509, CREDENTIALS, ASK = 1, 1, 1, 1
lock = threading.Lock()


def need(code, what):
    if code < 0:
        raise OSError(what + ": " + g.gnutls_strerror(code).decode())
    return code


def say(text):
    with lock:
        print(text, flush=True)


class Plain:
    def __init__(self, sock):
        self.sock = sock

    def recv(self):
        return self.sock.recv(4096)

    def send(self, data):
        self.sock.sendall(data)


class Secure:
    def __init__(self, sock, priority, credentials):
        self.session = ctypes.c_void_p()
        need(g.gnutls_init(ctypes.byref(self.session), SERVER), "init")
        need(g.gnutls_priority_set_direct(self.session, priority.encode(), None), "priority")
        need(g.gnutls_credentials_set(self.session, CREDENTIALS, credentials), "credentials")
        g.gnutls_certificate_server_set_request(self.session, ASK)
        g.gnutls_transport_set_int2(self.session, sock.fileno(), sock.fileno())
        code = g.gnutls_handshake(self.session)
        while code < 0 and not g.gnutls_error_is_fatal(code):
            code = g.gnutls_handshake(self.session)
        if code < 0:
            g.gnutls_alert_send_appropriate(self.session, code)
        need(code, "handshake")
        at = g.gnutls_session_get_desc(self.session)
        self.description = ctypes.cast(at, ctypes.c_char_p).value.decode()

    def recv(self):
        buffer = ctypes.create_string_buffer(4096)
        while True:
            n = g.gnutls_record_recv(self.session, buffer, 4096)
            if n >= 0 or g.gnutls_error_is_fatal(int(n)):
                return buffer.raw[: need(int(n), "recv")]

    def send(self, data):
        need(int(g.gnutls_record_send(self.session, data, len(data))), "send")


def serve(sock, priority, credentials):
    conn, rest, in_data, to = Plain(sock), b"", False, []
    conn.send(b"220 far.example\r\n")
    while True:
        while b"\r\n" not in rest:
            more = conn.recv()
            if not more:
                return
            rest += more
        line, rest = rest.split(b"\r\n", 1)
        verb = line.split(b" ")[0].split(b":")[0].upper()
        if in_data:
            if line != b".":
                continue
            in_data = False
            for t in to:
                say(t + "|" + getattr(conn, "description", "clear"))
            to = []
            conn.send(b"250 2.0.0 taken\r\n")
        elif verb == b"STARTTLS":
            conn.send(b"220 go on\r\n")
            conn, rest = Secure(sock, priority, credentials), b""
        elif verb == b"EHLO" and isinstance(conn, Plain):
            conn.send(b"250-far.example\r\n250 STARTTLS\r\n")
        elif verb == b"DATA":
            in_data = True
            conn.send(b"354 go on\r\n")
        elif verb == b"QUIT":
            conn.send(b"221 bye\r\n")
            return
        else:
            if verb == b"RCPT":
                to.append(line[line.index(b"<") + 1 : line.rindex(b">")].decode())
            conn.send(b"250 far.example\r\n")


def connection(sock, priority, credentials):
    try:
        with sock:
            sock.settimeout(None)
            serve(sock, priority, credentials)
    except OSError as e:
        print(e, file=sys.stderr, flush=True)


def accept(listener, priority, credentials):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=connection, args=(sock, priority, credentials), daemon=True).start()


need(g.gnutls_global_init(), "global")
loaded, ports = {}, []
for text in sys.stdin:
    priority, certificate, key = text.strip().split("|")
    if certificate not in loaded:
        credentials = ctypes.c_void_p()
        need(g.gnutls_certificate_allocate_credentials(ctypes.byref(credentials)), "allocate")
        need(g.gnutls_certificate_set_x509_key_file(credentials, certificate.encode(), key.encode(), 1), certificate)
        loaded[certificate] = credentials
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    ports.append(str(listener.getsockname()[1]))
    threading.Thread(target=accept, args=(listener, priority, loaded[certificate]), daemon=True).start()
say("ready " + " ".join(ports))
threading.Event().wait()
