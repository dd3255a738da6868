import Addressing
import CLinux
import Glibc
import KernelInterface

/// What a host must have before an agent can work on it.
public enum KernelRequirements {
    /// Programs that every agent needs, with the Debian package that has them.
    public static let programs = [
        "ip": "iproute2", "keepalived": "keepalived", "conntrackd": "conntrackd", "radvd": "radvd", "dnsmasq": "dnsmasq-base",
        "dhcp_release": "dnsmasq-utils", "dhcp_release6": "dnsmasq-utils", "conntrack": "conntrack",
    ]

    /// Sentences that say what is missing and what to do; none when all is well. Tries the kernel's features in a namespace that has no name
    /// and goes at once.
    ///
    /// - Parameter programs: names of programs, and the Debian packages that have them.
    public static func check(programs: [String: String] = programs) -> [String] {
        missingPrograms(programs) + (missingPrivilege().map { [$0] } ?? oldKernel() + kernelProblems())
    }

    /// The first kernel that says which addresses it made by itself (IFA_PROTO).
    static let minimumVersion = (major: 5, minor: 18)

    private static func oldKernel() -> [String] {
        let release = (try? FileContents.read("/proc/sys/kernel/osrelease", limit: 4096)) ?? []
        return oldKernel(release: String(decoding: release.prefix { $0 != 10 }, as: UTF8.self))
    }

    /// For a release such as "6.1.0-28-amd64".
    static func oldKernel(release: String) -> [String] {
        let numbers = release.split(separator: ".").prefix(2).map { Int($0.prefix { $0.isNumber }) ?? 0 }
        guard numbers.count == 2, (numbers[0], numbers[1]) < minimumVersion else { return [] }
        return ["The kernel is Linux \(release), and must be \(minimumVersion.major).\(minimumVersion.minor) or newer: boot a newer one."]
    }

    /// The full path of a program on PATH.
    public static func path(ofProgram name: String) -> String? {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        let candidates = path.split(separator: ":").map { "\($0)/\(name)" }
        return candidates.first { access($0, X_OK) == 0 }
    }

    private static func missingPrograms(_ programs: [String: String]) -> [String] {
        programs.sorted { $0.key < $1.key }.compactMap { name, package in
            guard path(ofProgram: name) == nil else { return nil }
            return "The program \(name) is not on PATH: install it (Debian: apt-get install \(package))."
        }
    }

    /// CAP_NET_ADMIN for everything, CAP_SYS_ADMIN for namespaces, CAP_NET_BROADCAST to hear of them (``NamespaceListener``).
    private static func missingPrivilege() -> String? {
        let status = (try? FileContents.read("/proc/self/status", limit: 65536)) ?? []
        let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let held = line.flatMap { UInt64($0.dropFirst(7).drop { $0 == "\t" }, radix: 16) } ?? 0
        // linux/capability.h
        let needed: UInt64 = 1 << 11 | 1 << 12 | 1 << 21
        if held & needed == needed { return nil }
        return "The agent may not change the network (it needs CAP_NET_ADMIN, CAP_NET_BROADCAST and CAP_SYS_ADMIN): run it as root."
    }

    private static func kernelProblems() -> [String] {
        var problems: [String] = []
        do throws(KernelError) {
            try NamespaceRunner.runInNewNamespace { () throws(KernelError) in problems = try probe() }
        } catch {
            problems.append("The kernel makes no network namespace (\(error)): it needs CONFIG_NET_NS.")
        }
        return problems
    }

    /// Makes one of everything in the calling thread's namespace.
    private static func probe() throws(KernelError) -> [String] {
        let socket = try attempt("open a netlink socket") { () throws(NetlinkError) in try NetlinkSocket(protocol: NETLINK_ROUTE) }
        let local = IPAddress.v4(IPv4Address(127, 0, 0, 1))
        let links: [(Link, String)] = [
            (Link(name: "probe-bridge", kind: .bridge), "bridge"),
            (Link(name: "probe-vxlan", kind: .vxlan(vni: 1, local: local, port: 4789, isLearning: false)), "vxlan"),
            (Link(name: "probe-veth", kind: .veth(peer: "probe-peer", peerNamespace: nil)), "veth"),
        ]
        var problems: [String] = []
        for (link, module) in links {
            do throws(NetlinkError) {
                try socket.perform(LinkMessages.creation(of: link, LinkCreationContext()))
            } catch {
                let words = KernelError(error, "make a \(module) device").description
                problems.append("The kernel does not know \(module) devices (\(words)): load the module (modprobe \(module)).")
            }
        }
        for family in ["inet", "bridge"] {
            let script = "table \(family) probe { chain probe { type filter hook forward priority filter; }; }\n"
            do throws(KernelError) {
                try FirewallScript.run(script, in: nil)
            } catch {
                problems.append(
                    "The kernel takes no nftables of family \(family) (\(error)): it needs CONFIG_NF_TABLES_\(family.uppercased()).")
            }
        }
        return problems
    }
}
