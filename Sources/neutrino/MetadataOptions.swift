import ArgumentParser
import ControllerServer
import KernelLinux
import Logging
import MetadataService
import ServiceProcesses

/// What instances of a host are told when they ask 169.254.169.254.
struct MetadataOptions: ParsableArguments {
    @Flag(help: "Instances get no metadata from this host: no haproxy, and no route to 169.254.169.254 by DHCP.")
    var noMetadata = false

    @Option(
        help: ArgumentHelp(
            "Nova's metadata service, such as http://nova.example.org:8775.",
            discussion: "Without it the agent answers by itself, with what the port's binding:profile says of the instance.",
            valueName: "url"))
    var novaMetadataURL: String?

    @Option(
        help: ArgumentHelp(
            "A file whose first line is the secret that is shared with Nova's metadata service.",
            discussion: "Nova calls it metadata_proxy_shared_secret, in its section [neutron].", valueName: "path"))
    var metadataSecretFile: String?

    func validate() throws {
        guard (novaMetadataURL == nil) == (metadataSecretFile == nil) else {
            throw ValidationError("--nova-metadata-url and --metadata-secret-file go together: Nova believes only who knows its secret.")
        }
        if let novaMetadataURL, !novaMetadataURL.hasPrefix("http://"), !novaMetadataURL.hasPrefix("https://") {
            throw ValidationError("'\(novaMetadataURL)' is no address of Nova's metadata service: write http://ADDRESS:8775.")
        }
        guard !noMetadata || novaMetadataURL == nil else { throw ValidationError("--no-metadata leaves nothing to ask Nova for.") }
    }

    /// False also where a program is missing, with a line in the log.
    func isEnabled(_ logger: Logger) -> Bool {
        guard !noMetadata else { return false }
        guard KernelRequirements.path(ofProgram: "haproxy") != nil else {
            logger.error("Instances get no metadata from this host: haproxy is not installed (or start with --no-metadata)")
            return false
        }
        return true
    }

    func configuration(stateDirectory: String) throws -> MetadataServiceConfiguration {
        var nova: MetadataServiceConfiguration.Nova?
        if let novaMetadataURL, let metadataSecretFile {
            nova = .init(url: novaMetadataURL, secret: try Self.secret(in: metadataSecretFile))
        }
        return MetadataServiceConfiguration(
            socketDirectory: MetadataProxyDaemon.jail(stateDirectory: stateDirectory), socketName: MetadataProxyDaemon.socketName,
            group: MetadataProxyConfiguration.group, nova: nova)
    }

    private static func secret(in path: String) throws -> String {
        switch PrivateFile.read(path) {
        case .text(let text):
            guard !text.isEmpty else { throw CleanExit.failure("The file \(path) is empty: its first line is Nova's secret.") }
            return text
        case .missing: throw CleanExit.failure("There is no file \(path).")
        case .exposed: throw CleanExit.failure("Others may read \(path): chmod 600 \(path)")
        case .unreadable(let reason): throw CleanExit.failure("The file \(path) cannot be read: \(reason)")
        }
    }
}
