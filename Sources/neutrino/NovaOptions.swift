import ArgumentParser
import ControllerServer
import Foundation

/// Where Nova is, and as whom it is talked to.
struct NovaOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The compute API that is told when ports of instances are wired, change or go: http://HOST:8774/v2.1.",
            discussion: "Without it no events are sent, and Nova must run with vif_plugging_is_fatal = False.", valueName: "url"))
    var novaURL: String?

    @Option(help: ArgumentHelp("The identity API that gives tokens for Nova: http://HOST:5000/v3.", valueName: "url"))
    var novaIdentityURL: String?

    @Option(help: ArgumentHelp("The service user that events are sent as; without one they carry no token.", valueName: "name"))
    var novaUser: String?

    @Option(help: ArgumentHelp("A file whose first line is the service user's password.", valueName: "file"))
    var novaPasswordFile: String?

    @Option(help: ArgumentHelp("The service user's project.", valueName: "name"))
    var novaProject: String = "service"

    @Option(help: ArgumentHelp("The domain of the service user and its project.", valueName: "name"))
    var novaDomain: String = "Default"

    func settings() throws -> NovaSettings? {
        guard let url = novaURL else {
            guard novaUser == nil, novaIdentityURL == nil, novaPasswordFile == nil else {
                throw ValidationError("A service user for Nova is given without Nova: add --nova-url.")
            }
            return nil
        }
        for address in [url, novaIdentityURL].compactMap(\.self) where !address.hasPrefix("http://") && !address.hasPrefix("https://") {
            throw ValidationError("'\(address)' is no address: it begins with http:// or https://.")
        }
        guard let user = novaUser else { return NovaSettings(url: url) }
        guard let identityURL = novaIdentityURL, let file = novaPasswordFile else {
            throw ValidationError("--nova-user also needs --nova-identity-url and --nova-password-file.")
        }
        guard let text = try? String(contentsOfFile: file, encoding: .utf8), let password = text.split(whereSeparator: \.isNewline).first
        else {
            throw ValidationError("The file \(file) of --nova-password-file has no first line that can be read.")
        }
        return NovaSettings(
            url: url,
            user: ServiceUser(
                identityURL: identityURL, name: user, password: String(password), projectName: novaProject, domainName: novaDomain))
    }
}
