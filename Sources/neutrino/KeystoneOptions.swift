import ArgumentParser
import ControllerServer
import Foundation

/// Which Keystone validates tokens (`--auth keystone`).
struct KeystoneOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Where this server reaches Keystone: http://host:5000.", valueName: "url"))
    var keystoneURL: String?

    @Option(
        help: ArgumentHelp("Where clients reach Keystone, for the answer 401 (default: as --keystone-url).", valueName: "url"))
    var keystonePublicURL: String?

    @Option(help: ArgumentHelp("The user with which this server validates tokens.", valueName: "name"))
    var keystoneUser = "neutron"

    @Option(help: ArgumentHelp("A file whose first line is that user's password.", valueName: "path"))
    var keystonePasswordFile: String?

    @Option(help: ArgumentHelp("The project in which that user has the role service or admin.", valueName: "name"))
    var keystoneProject = "service"

    @Option(help: ArgumentHelp("The domain of that user.", valueName: "name"))
    var keystoneUserDomain = "Default"

    @Option(help: ArgumentHelp("The domain of that project.", valueName: "name"))
    var keystoneProjectDomain = "Default"

    /// Whether any of these options is given that has no default.
    var isGiven: Bool { keystoneURL != nil || keystonePublicURL != nil || keystonePasswordFile != nil }

    func configuration() throws -> KeystoneConfiguration {
        guard let keystoneURL, let keystonePasswordFile else {
            throw ValidationError("--auth keystone needs --keystone-url and --keystone-password-file.")
        }
        for url in [keystoneURL, keystonePublicURL].compactMap({ $0 }) {
            guard let parts = URLComponents(string: url), ["http", "https"].contains(parts.scheme), parts.host?.isEmpty == false else {
                throw ValidationError("'\(url)' is no address of a Keystone: give http://host:5000 or https://….")
            }
        }
        guard let text = try? String(contentsOfFile: keystonePasswordFile, encoding: .utf8),
            let password = text.split(separator: "\n", omittingEmptySubsequences: false).first, !password.isEmpty
        else { throw ValidationError("The file '\(keystonePasswordFile)' cannot be read, or its first line is empty.") }
        return KeystoneConfiguration(
            url: keystoneURL, publicURL: keystonePublicURL, user: keystoneUser, password: String(password), project: keystoneProject,
            userDomain: keystoneUserDomain, projectDomain: keystoneProjectDomain)
    }
}
