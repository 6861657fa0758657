{-# LANGUAGE OverloadedStrings #-}
-- A small TLS client or server on Haskell's tls, with the options all small programs of the laboratory share.
module Main (main) where

import Control.Concurrent (forkIO)
import Control.Exception (SomeException, try)
import Control.Monad (forM_, forever, void)
import qualified Data.ByteString.Char8 as B
import qualified Data.ByteString.Lazy.Char8 as L
import Data.Default.Class (def)
import Data.X509.CertificateStore (listCertificates, makeCertificateStore, readCertificateStore)
import Data.X509.Validation (validateDefault)
import qualified Data.X509 as X
import Network.Socket
import Network.TLS
import Network.TLS.Extra.Cipher (ciphersuite_default)
import System.Environment (getArgs)
import System.IO

type Options = [(String, String)]

options :: [String] -> Options
options (k : v : rest) = (drop 2 k, v) : options rest
options _ = []

given :: String -> String -> Options -> String
given k d o = maybe d id (lookup k o)

pieces :: Char -> String -> [String]
pieces c s = case break (== c) s of
  (a, []) -> [a]
  (a, _ : b) -> a : pieces c b

supported :: Options -> Supported
supported o = def {supportedVersions = wanted, supportedCiphers = ciphers, supportedGroups = groups}
  where
    wanted = [v | (n, v) <- [("1.3", TLS13), ("1.2", TLS12), ("1.1", TLS11), ("1.0", TLS10)], n >= given "min" "1.2" o, n <= given "max" "1.3" o]
    ciphers = [c | c <- ciphersuite_default, maybe True (\names -> cipherName c `elem` pieces ':' names) (lookup "ciphers" o)]
    groups = maybe (supportedGroups def) (\names -> [g | g <- [X25519, P256, P384, P521], show g `elem` pieces ':' names]) (lookup "groups" o)

debugging :: Options -> DebugParams
debugging o = def {debugKeyLogger = \line -> maybe (return ()) (\f -> appendFile f (line ++ "\n")) (lookup "keylog" o)}

credential :: Options -> IO (Maybe Credential)
credential o = case (lookup "cert" o, lookup "key" o) of
  (Just c, Just k) -> either error Just <$> credentialLoadX509 c k
  _ -> return Nothing

client :: Options -> IO ()
client o = do
  store <- maybe (return (Just (makeCertificateStore []))) readCertificateStore (lookup "ca" o)
  mine <- credential o
  let host = given "name" "server.test" o
      base = defaultParamsClient host ""
      hooks = def {onCertificateRequest = \_ -> return mine, onSuggestALPN = return (fmap (map B.pack . pieces ',') (lookup "alpn" o))}
      lax = hooks {onServerCertificate = \_ _ _ _ -> return []}
      params = base {clientSupported = supported o, clientDebug = debugging o, clientHooks = maybe hooks (const lax) (lookup "insecure" o),
                     clientUseServerNameIndication = lookup "sni" o /= Just "",
                     clientShared = def {sharedCAStore = maybe (makeCertificateStore []) id store}}
  raw <- socket AF_INET Stream defaultProtocol
  info : _ <- getAddrInfo (Just defaultHints {addrFlags = [AI_NUMERICHOST, AI_NUMERICSERV]}) (Just (given "address" "198.51.100.20" o)) (Just (given "port" "443" o))
  connect raw (addrAddress info)
  c <- contextNew raw params
  handshake c
  putStrLn "connected"
  case given "request" "GET / HTTP/1.0\r\n\r\n" o of
    "" -> return ()
    request -> do
      sendData c (L.pack request)
      answer <- recvData c
      putStrLn ("answer: " ++ takeWhile (/= '\r') (B.unpack answer))
  bye c
  close raw

serve :: Options -> ServerParams -> Socket -> IO ()
serve _ params raw = do
  done <- try $ do
    c <- contextNew raw params
    handshake c
    _ <- recvData c
    sendData c "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
    bye c
  either (\e -> putStrLn ("error: " ++ show (e :: SomeException))) return done
  close raw

server :: Options -> IO ()
server o = do
  mine <- credential o
  roots <- maybe (return Nothing) readCertificateStore (lookup "client-ca" o)
  let check chain = case roots of
        Nothing -> return CertificateUsageAccept
        Just store -> do
          problems <- validateDefault store (exceptionValidationCache []) ("", "") chain
          let left = [p | p <- problems, show p /= "NameMismatch \"\""]
          return (if null left then CertificateUsageAccept else reason left)
      alpn = fmap (\names offered -> return (head ([B.pack n | n <- pieces ',' names, B.pack n `elem` offered] ++ [""]))) (lookup "alpn" o)
      params = def {serverSupported = supported o, serverDebug = debugging o, serverWantClientCert = maybe False (const True) roots,
                    serverCACertificates = maybe [] listCertificates roots,
                    serverShared = def {sharedCredentials = Credentials (maybe [] return mine)},
                    serverHooks = def {onClientCertificate = check, onALPNClientSuggest = alpn}}
  listener <- socket AF_INET Stream defaultProtocol
  setSocketOption listener ReuseAddr 1
  bind listener (SockAddrInet (read (given "port" "443" o)) 0)
  listen listener 16
  forever $ do
    (raw, _) <- accept listener
    void (forkIO (serve o params raw))
  where
    reason left
      | any ((== "Expired") . show) left = CertificateUsageReject CertificateRejectExpired
      | any ((== "UnknownCA") . show) left = CertificateUsageReject CertificateRejectUnknownCA
      | otherwise = CertificateUsageReject (CertificateRejectOther (unwords (map show left)))

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  role : rest <- getArgs
  let o = options rest
  if role == "server" then server o else do
    done <- try (forM_ [1 .. read (given "connections" "1" o) :: Int] (const (client o)))
    either (\e -> putStrLn ("error: " ++ show (e :: SomeException))) return done
