"""Certificates for one run, made with the openssl program: NAME.crt and NAME.key in a directory."""
import subprocess


def make(path):
    """A CA, a server's and a client's certificate of it, and a stranger's of its own."""
    def openssl(*argv):
        subprocess.run(["openssl", *argv], check=True, capture_output=True, cwd=path)
    for name in ("ca", "stranger"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=%s" % name, "-keyout",
                "%s.key" % name, "-out", "%s.crt" % name)
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "%s.key" % name, "-out",
                "%s.csr" % name)
        openssl("x509", "-req", "-in", "%s.csr" % name, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-out", "%s.crt" % name)
