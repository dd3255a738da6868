import APISchema
import Glibc
import KernelLinux

/// The main job from end to end, told line by line: every line that says that something is so was observed.
public struct Demonstration: Sendable {
    let name: String
    let keepsLab: Bool
    let narrator = Narrator()

    static let agentTimeoutMilliseconds = 30_000
    static let masterTimeoutMilliseconds = 30_000
    static let projectPrefix = "10.0.0.0/24"

    public init(name: String, keepsLab: Bool) {
        self.name = name
        self.keepsLab = keepsLab
    }

    /// Runs it; false when a step was not observed, which has been told then.
    public func run() async -> Bool {
        do {
            narrator.say("starting a cloud network on this machine: one server, three hosts, a host outside")
            let lab = try await startLab()
            let isComplete = await tell(lab)
            try await finish(lab)
            return isComplete
        } catch {
            narrator.say("FAILED: \(error)")
            return false
        }
    }

    private func startLab() async throws -> Lab {
        // What a killed run of the same name left.
        if Lab.names().contains(name) { try await Lab.down(name: name) }
        var configuration = Lab.Configuration(name: name, hosts: 3)
        configuration.apiPort = Lab.portIfFree(Underlay.controlPort)
        return try await Lab.up(configuration)
    }

    private func tell(_ lab: Lab) async -> Bool {
        do {
            try await DemonstrationStory(lab: lab, narrator: narrator).tell()
            narrator.say("every step was observed")
            return true
        } catch {
            narrator.say("FAILED")
            print("           \(error)")
            if let logs = await lab.saveEvidence() { print("           logs and the state of every host: \(logs)") }
            return false
        }
    }

    private func finish(_ lab: Lab) async throws {
        guard keepsLab else {
            try await lab.down()
            narrator.say("cleaned up")
            return
        }
        let environment = "export " + lab.clientEnvironment.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        print(
            """

            The lab '\(lab.name)' goes on running. To use the OpenStack client with it:

                \(environment)
                .venv/bin/openstack network agent list
                .venv/bin/openstack network agent list --router r1 --long

            Its instances, hosts and faults:

                \(lab.state.executable) lab status --name \(lab.name)
                \(lab.state.executable) lab exec vm1 --name \(lab.name) -- ip address
                \(lab.state.executable) lab --help

            To end it: \(lab.state.executable) lab down --name \(lab.name)
            """)
    }
}

extension Lab {
    /// Copies the logs and what the kernel of every place says to a directory that outlives the lab; nil when that fails.
    public func saveEvidence() async -> String? {
        let state = stateDirectory
        let places = ["fabric", "outside"].map { place(ofRole: $0) } + hosts.map(\.place) + instances.map(\.place)
        return try? await BackgroundThread.run {
            var template = Array("/var/tmp/neutrino-\(self.name)-XXXXXX".utf8CString)
            guard let made = mkdtemp(&template) else { throw Files.failure("make a directory in /var/tmp") }
            let directory = String(cString: made)
            for place in places {
                let result = try? place.runBlocking(
                    ["sh", "-c", Self.evidenceScript, "sh", "\(state)/\(place.name)/state"], timeoutMilliseconds: 20_000)
                try Files.write("\(directory)/\(place.name).txt", (result?.standardOutput ?? "") + (result?.standardError ?? ""))
            }
            _ = try runProgram(["cp", "-r", state, "\(directory)/state"], timeoutMilliseconds: 30_000)
            return directory
        }
    }

    private static let evidenceScript = """
        show() {
            echo "=== $1"; shift
            for command in "ip -details address" "ip route" "ip -statistics neighbour" "bridge fdb" "ss --numeric --udp --all --processes" \
                "conntrack -L" "nft list ruleset"; do
                echo "--- $command"; "$@" $command 2>&1
            done
        }
        date; head -n 5 /proc/loadavg /proc/pressure/* /proc/net/softnet_stat 2>/dev/null
        ps ax -o pid,ppid,stat,etimes,args
        show "the place itself" env
        for name in $(ls /run/netns | head -n 50); do show "$name" ip netns exec "$name"; done
        [ -d "$1" ] || exit 0
        # A host's disk, which only the host sees.
        find "$1" -type f -size -64k | head -n 300 | while read -r file; do echo "--- $file"; cat "$file"; done
        for file in "$1"/dhcp/*/log; do [ ! -f "$file" ] || { echo "--- the end of $file"; tail -n 500 "$file"; }; done
        """
}
