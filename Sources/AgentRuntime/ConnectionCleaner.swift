import Converters
import HostModel
import KernelInterface
import Logging
import NetworkModel
import ServiceProcesses

/// Ends what must not outlive a change: connections through a floating IP that was taken away, leases of ports that are gone.
struct ConnectionCleaner {
    /// How long one `conntrack` or `dhcp_release` may take.
    static let timeoutMilliseconds = 2000

    /// What the cycle before realised; nil before the first.
    private var last: HostView?

    mutating func clean(_ view: HostView, settings: AgentSettings, processes: any ProcessHost, logger: Logger) {
        defer { last = view }
        guard let last else {
            releaseOldLeases(view, settings, processes, logger)
            return
        }
        for router in view.routers.values {
            guard let before = last.routers[router.id], before != router else { continue }
            let namespace = RouterConverter.namespace(of: router.id)
            // conntrack answers with 1 when there was nothing to delete.
            for command in ConntrackFlush(from: before, to: router).commands {
                try? processes.start(command, in: namespace, timeoutMilliseconds: Self.timeoutMilliseconds)
            }
        }
        release(DHCPConverter.leaseReleases(from: last, to: view), processes, logger)
    }

    /// An agent that just started holds no older view: dnsmasq's lease files say what was given out.
    private func releaseOldLeases(_ view: HostView, _ settings: AgentSettings, _ processes: any ProcessHost, _ logger: Logger) {
        for id in view.dhcp.keys {
            let path = DnsmasqConfiguration.leasesPath(directory: DHCPConverter.directory(id, settings))
            guard let leases = try? processes.readFile(path) else { continue }
            release(DHCPConverter.leaseReleases(leaseFile: leases, networkID: id, in: view), processes, logger)
        }
    }

    private func release(_ releases: [LeaseRelease], _ processes: any ProcessHost, _ logger: Logger) {
        for release in releases {
            do throws(KernelError) {
                try processes.start(release.command, in: release.namespace, timeoutMilliseconds: Self.timeoutMilliseconds)
            } catch {
                logger.warning("A lease could not be released", metadata: ["address": "\(release.address)", "error": "\(error)"])
            }
        }
    }
}
