// A small TLS client on .NET's SslStream as Mono has it: mono tls.exe ADDRESS PORT NAME VERSION ROOTS|insecure
using System;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

static class Tls {
    static int Main(string[] a) {
        try {
            if (a[4] != "insecure") {
                var store = new X509Store(StoreName.Root, StoreLocation.CurrentUser);
                store.Open(OpenFlags.ReadWrite);
                store.Add(new X509Certificate2(a[4]));
                store.Close();
            }
            var tcp = new TcpClient(a[0], int.Parse(a[1]));
            RemoteCertificateValidationCallback anything = (sender, certificate, chain, problems) => true;
            var tls = new SslStream(tcp.GetStream(), false, a[4] == "insecure" ? anything : null);
            tls.AuthenticateAsClient(a[2], null, SslProtocols.Tls12, false);
            Console.WriteLine("connected " + tls.SslProtocol);
            tls.Write(Encoding.ASCII.GetBytes("GET / HTTP/1.0\r\n\r\n"));
            var buffer = new byte[4096];
            int n = tls.Read(buffer, 0, buffer.Length);
            Console.WriteLine("answer: " + Encoding.ASCII.GetString(buffer, 0, n).Split('\n')[0]);
            tls.Close();
            return 0;
        } catch (Exception e) {
            Console.WriteLine("error: " + e.Message + (e.InnerException == null ? "" : ": " + e.InnerException.Message));
            return 1;
        }
    }
}
