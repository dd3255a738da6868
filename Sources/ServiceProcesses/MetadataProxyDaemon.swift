import Glibc
import KernelInterface

/// The haproxy of one namespace as a daemon that can be started, adopted and stopped.
///
/// It has no reload of its own that keeps its process id: a change restarts it, which takes some tens of milliseconds and happens when the first
/// instance comes to a network, or a router gets an interface.
public enum MetadataProxyDaemon {
    /// - Parameter owner: The id of the network or router.
    public static func key(_ owner: String) -> String { "haproxy/\(owner)" }

    /// Where the agent's service listens: a directory with nothing else in it, which is all that the haproxies see.
    public static func jail(stateDirectory: String) -> String { "\(stateDirectory)/metadata_proxy" }
    public static let socketName = "socket"

    /// - Parameter stateDirectory: Absolute; the files go to `ns-metadata-proxy/<owner>` below it.
    public static func daemon(
        owner: String, namespace: NamespaceName, stateDirectory: String, configuration: MetadataProxyConfiguration
    ) -> DaemonConfiguration {
        let directory = "\(stateDirectory)/ns-metadata-proxy/\(owner)"
        let file = "\(directory)/haproxy.cfg"
        let processID = "\(directory)/haproxy.pid"
        return DaemonConfiguration(
            key: key(owner), namespace: namespace, command: ["haproxy", "-f", file], processIDFile: processID, mark: file,
            files: [
                ConfigurationFile(path: file, contents: configuration.rendered(processIDFile: processID), onChange: .restart)
            ], directory: directory, stopSignal: SIGTERM)
    }
}
