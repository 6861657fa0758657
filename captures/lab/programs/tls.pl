# A small TLS client on Perl's IO::Socket::SSL, with the options all small programs of the laboratory share.
use strict;
use warnings;
use IO::Socket::SSL;

my ($role, @words) = @ARGV;
my %o = @words;
my @all = ("1.0", "1.1", "1.2", "1.3");
my $version = "SSLv23" . join("", map { ":!TLSv" . ($_ eq "1.0" ? "1" : $_ =~ s/\./_/r) } grep { $_ lt $o{"--min"} or $_ gt $o{"--max"} } @all);
my $name = $o{"--name"} // "server.test";
my $s = IO::Socket::SSL->new(
    PeerHost => $o{"--address"} // "198.51.100.20", PeerPort => $o{"--port"} // 443, SSL_version => $version, Timeout => 6,
    SSL_hostname => $o{"--sni"} // $name, SSL_verifycn_name => $name, SSL_verifycn_scheme => "http",
    SSL_verify_mode => $o{"--insecure"} ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, SSL_ca_file => $o{"--ca"},
    ($o{"--keylog"} ? (SSL_keylog => $o{"--keylog"}) : ()),
    ($o{"--cert"} ? (SSL_cert_file => $o{"--cert"}, SSL_key_file => $o{"--key"}) : ()),
    ($o{"--alpn"} ? (SSL_alpn_protocols => [split /,/, $o{"--alpn"}]) : ()),
) or do { print "error: $! $SSL_ERROR\n"; exit 1 };
print "connected ", $s->get_sslversion, "\n";
print $s "GET / HTTP/1.0\r\n\r\n";
my $answer = <$s>;
print "answer: ", $answer // "nothing $SSL_ERROR", "\n";
$s->close;
