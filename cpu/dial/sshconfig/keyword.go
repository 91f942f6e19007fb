package sshconfig

import "strings"

// A keyword is one that is honoured: how its values are read, and whether they add to those of other lines instead of giving way to them.
type keyword struct {
	values func(l *line) ([]string, error)
	add    func(have, values []string) []string // nil: the first line counts
}

// keywords are those that are honoured, but for host, match and include, which are about the configuration itself.
var keywords = map[string]keyword{
	"addkeystoagent":              {values: agentConstraints},
	"addressfamily":               {values: oneOf("any", "inet", "inet6")},
	"batchmode":                   {values: flag},
	"bindaddress":                 {values: word},
	"canonicaldomains":            {values: words},
	"canonicalizefallbacklocal":   {values: flag},
	"canonicalizehostname":        {values: oneOf("yes", "no", "always", "true=yes", "false=no")},
	"canonicalizemaxdots":         {values: integer},
	"canonicalizepermittedcnames": {values: words},
	"casignaturealgorithms":       {values: word},
	"certificatefile":             {values: word, add: addNew},
	"ciphers":                     {values: word},
	"clearallforwardings":         {values: flag},
	"connectionattempts":          {values: integer},
	"connecttimeout":              {values: duration},
	"controlmaster":               {values: oneOf("yes", "no", "ask", "auto", "autoask", "true=yes", "false=no")},
	"controlpath":                 {values: word},
	"controlpersist":              {values: persistence},
	"dynamicforward":              {values: dynamicForward, add: addNew},
	"escapechar":                  {values: escape},
	"exitonforwardfailure":        {values: flag},
	"forwardagent":                {values: flagOrSocket},
	"gatewayports":                {values: flag},
	"globalknownhostsfile":        {values: words},
	"hashknownhosts":              {values: flag},
	"hostkeyalgorithms":           {values: word},
	"hostkeyalias":                {values: word},
	"hostname":                    {values: word},
	"identitiesonly":              {values: flag},
	"identityagent":               {values: socket},
	"identityfile":                {values: word, add: addNew},
	"ignoreunknown":               {values: word},
	"kexalgorithms":               {values: word},
	"knownhostscommand":           {values: command},
	"localforward":                {values: forward, add: addNew},
	"loglevel":                    {values: oneOf("QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG=DEBUG1", "DEBUG1", "DEBUG2", "DEBUG3")},
	"macs":                        {values: word},
	"permitremoteopen":            {values: permitted},
	"port":                        {values: port},
	"proxycommand":                {values: command},
	"proxyjump":                   {values: jump},
	"pubkeyacceptedalgorithms":    {values: word},
	"refuseconnection":            {values: word},
	"remoteforward":               {values: remoteForward, add: addNew},
	"requesttty":                  {values: oneOf("yes", "no", "force", "auto", "true=yes", "false=no")},
	"requiredrsasize":             {values: integer},
	"revokedhostkeys":             {values: words},
	"sendenv":                     {values: variableNames, add: addNames},
	"serveralivecountmax":         {values: integer},
	"serveraliveinterval":         {values: duration},
	"setenv":                      {values: variables},
	"stricthostkeychecking":       {values: oneOf("yes", "no", "ask", "accept-new", "true=yes", "false=no", "off=no")},
	"tag":                         {values: word},
	"user":                        {values: word},
	"userknownhostsfile":          {values: words},
}

// aliases are older names.
var aliases = map[string]string{"identityfile2": "identityfile", "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms"}

// Honoured are the keywords whose values Resolve gives, in lower case.
func Honoured() []string {
	var all []string
	for k := range keywords {
		all = append(all, k)
	}
	return all
}

// others are those that OpenSSH has and cpu does nothing with.
var others = func() map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(`afstokenpassing bindinterface challengeresponseauthentication channeltimeout checkhostip cipher
		compression compressionlevel dsaauthentication enableescapecommandline enablesshkeysign fallbacktorsh fingerprinthash
		forkafterauthentication forwardx11 forwardx11timeout forwardx11trusted globalknownhostsfile2 gssapiauthentication
		gssapidelegatecredentials hostbasedacceptedalgorithms hostbasedauthentication hostbasedkeytypes ipqos kbdinteractiveauthentication
		kbdinteractivedevices keepalive kerberosauthentication kerberostgtpassing localcommand logverbose
		nohostauthenticationforlocalhost numberofpasswordprompts obscurekeystroketiming passwordauthentication permitlocalcommand
		pkcs11provider preferredauthentications protocol proxyusefdpass pubkeyauthentication rekeylimit remotecommand
		rhostsauthentication rhostsrsaauthentication rsaauthentication securitykeyprovider sessiontype skeyauthentication
		smartcarddevice stdinnull streamlocalbindmask streamlocalbindunlink syslogfacility tcpkeepalive tisauthentication tunnel
		tunneldevice updatehostkeys useprivilegedport userknownhostsfile2 useroaming usersh verifyhostkeydns versionaddendum
		visualhostkey warnweakcrypto xauthlocation`) {
		all[name] = true
	}
	return all
}()
