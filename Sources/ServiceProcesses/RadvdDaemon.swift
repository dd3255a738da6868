import Glibc
import KernelInterface

/// The radvd of one router as a daemon that can be started, reloaded, adopted and stopped.
///
/// SIGHUP makes it read its file again and advertise at once. On SIGTERM it says goodbye (an advertisement with lifetime 0), so that hosts
/// look for another router; a killed one's hosts notice after three times the longest interval.
public enum RadvdDaemon {
    public static func key(router: String) -> String { "radvd/\(router)" }

    /// - Parameter stateDirectory: Absolute; the files go to `ra/<router>` below it.
    public static func daemon(
        router: String, namespace: NamespaceName, stateDirectory: String, configuration: RadvdConfiguration
    ) -> DaemonConfiguration {
        let directory = "\(stateDirectory)/ra/\(router)"
        let file = "\(directory)/radvd.conf"
        let processID = "\(directory)/radvd.pid"
        return DaemonConfiguration(
            key: key(router: router), namespace: namespace,
            // Both logs: what is wrong with a configuration is said on standard error while somebody listens.
            command: ["radvd", "-C", file, "-p", processID, "-m", "stderr_syslog"],
            processIDFile: processID, mark: file,
            files: [ConfigurationFile(path: file, contents: configuration.rendered, onChange: .signal(SIGHUP))],
            directory: directory, stopSignal: SIGTERM)
    }
}
