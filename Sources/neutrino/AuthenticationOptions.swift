import ArgumentParser
import ControllerServer
import Foundation
import Identity
import IdentityService
import Store

/// The ways to authenticate that `--auth` names.
enum AuthenticationName: String, CaseIterable, ExpressibleByArgument {
    case none
    case builtIn = "built-in"
    case keystone
}

/// Who may call a server.
struct AuthenticationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How callers are authenticated: built-in, keystone or none.",
            discussion: """
                The default asks for a token: a server that is reached by others must not be open because an option was forgotten. With \
                keystone tokens of a Keystone elsewhere count. 'none' is for laboratories.
                """))
    var auth: AuthenticationName = .builtIn

    @Option(
        help: ArgumentHelp(
            "Where the first start writes the administrator's password and the agents' secret.",
            discussion: "Default: the directory of the SQLite file; /var/lib/neutrino with a PostgreSQL.", valueName: "path"))
    var stateDirectory: String?

    @Option(
        help: ArgumentHelp(
            "A file whose first line is the secret that agents, and readers of /metrics, present; made when it does not exist.",
            discussion: """
                Default: agent-secret in the state directory; with --auth none: no secret is asked for. Give each agent a copy, and each of several \
                servers the same.
                """, valueName: "path"))
    var agentSecretFile: String?

    @Option(help: "Seconds for which a token of the built-in identity is valid.")
    var tokenLifetime: Int = 3600

    @Option(
        help: ArgumentHelp(
            "Where clients reach this server, such as https://network.example.org: the start of links (default: where a request came to).",
            discussion: "Links of pages and versions begin with it, and with the built-in identity the catalogue. It may have a path.",
            valueName: "url"))
    var publicURL: String?

    @OptionGroup var keystone: KeystoneOptions

    func validate() throws {
        if auth != .keystone, keystone.isGiven { throw ValidationError("Options of Keystone are given, but not --auth keystone.") }
        guard IdentityService.tokenLifetimeLimits.contains(tokenLifetime) else {
            let limits = IdentityService.tokenLifetimeLimits
            throw ValidationError("--token-lifetime is from \(limits.lowerBound) to \(limits.upperBound) seconds.")
        }
        if let publicURL {
            guard let scheme = URL(string: publicURL)?.scheme, ["http", "https"].contains(scheme), !publicURL.hasSuffix("/") else {
                throw ValidationError("--public-url is like https://network.example.org, without a slash at the end.")
            }
        }
    }

    /// Where to listen when nothing is said: without authentication only this machine reaches the server.
    func listenAddress(_ wanted: String?) -> String { wanted ?? (auth == .none ? "127.0.0.1" : "0.0.0.0") }

    func apply(to configuration: inout ServerConfiguration) throws {
        let directory = directory(for: configuration.database)
        configuration.operations.publicURL = publicURL
        switch auth {
        case .none:
            configuration.authentication = .none
            configuration.agentSecretFile = agentSecretFile
        case .builtIn:
            configuration.authentication = .builtIn(
                BuiltInSettings(
                    tokenLifetimeSeconds: tokenLifetime, stateDirectory: directory,
                    administratorPassword: try Self.givenPassword()))
            configuration.agentSecretFile = agentSecretFile ?? "\(directory)/\(AgentSecretFile.name)"
        case .keystone:
            configuration.authentication = .keystone(try keystone.configuration())
            configuration.agentSecretFile = agentSecretFile ?? "\(directory)/\(AgentSecretFile.name)"
        }
    }

    private func directory(for database: StoreLocation) -> String {
        if let stateDirectory { return stateDirectory }
        guard case .sqlite(let path) = database else { return "/var/lib/neutrino" }
        let directory = (path as NSString).deletingLastPathComponent
        return directory.isEmpty ? "." : directory
    }

    /// The name of the variable that gives the first administrator's password.
    static let passwordVariable = "NEUTRINO_ADMIN_PASSWORD"

    static func givenPassword() throws -> String? {
        guard let password = ProcessInfo.processInfo.environment[passwordVariable], !password.isEmpty else { return nil }
        guard password.utf8.count <= PasswordHash.maximumPasswordBytes else {
            throw ValidationError("\(passwordVariable) has more than \(PasswordHash.maximumPasswordBytes) bytes.")
        }
        return password
    }
}
