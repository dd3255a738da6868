import Converters
import Drivers
import HostModel
import KernelInterface
import Logging
import NetworkModel
import ServiceProcesses

/// Ends what must not outlive a change: connections through a floating IP that was taken away, leases of ports that are gone.
struct ConnectionCleaner {
    /// How long one `conntrack` or `dhcp_release` may take.
    static let timeoutMilliseconds = 2000

    /// The view of the cycle before; nil before the first.
    private var last: HostView?
    /// Each router as it was last realised. One whose new translation could not be loaded keeps its place here until it is: connections that
    /// were ended before would come back by the old one.
    private var realised: [ResourceID: HostRouter] = [:]

    mutating func clean(_ view: HostView, after result: ApplyReport, settings: AgentSettings, processes: any ProcessHost, logger: Logger) {
        endConnections(view, result, processes, logger)
        if let last {
            guard last != view else { return }
            release(DHCPConverter.leaseReleases(from: last, to: view), processes, logger)
            for id in last.dhcp.keys where view.dhcp[id] == nil { try? processes.removeFile(DHCPConverter.directory(id, settings)) }
        } else {
            releaseOldLeases(view, settings, processes, logger)
        }
        last = view
    }

    private mutating func endConnections(_ view: HostView, _ result: ApplyReport, _ processes: any ProcessHost, _ logger: Logger) {
        realised = realised.filter { view.routers[$0.key] != nil }
        for router in view.routers.values where realised[router.id] != router && !result.concerns(router: router.id) {
            guard let before = realised.updateValue(router, forKey: router.id) else { continue }
            let namespace = RouterConverter.namespace(of: router.id)
            for command in ConntrackFlush(from: before, to: router).commands {
                do throws(KernelError) {
                    try processes.start(command, in: namespace, timeoutMilliseconds: Self.timeoutMilliseconds)
                } catch {
                    // Exit code 1 (an error without an errno): there was nothing to end.
                    if error.code == 0 { continue }
                    logger.error("Connections of a router could not be ended", metadata: ["router": "\(router.id)", "error": "\(error)"])
                }
            }
        }
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
