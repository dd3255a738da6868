import ServiceProcesses
import Testing

@Suite("keepalived's notifications")
struct KeepalivedNotificationTests {
    @Test("A line names the instance, its new state and its priority")
    func line() {
        #expect(
            KeepalivedNotification(line: "INSTANCE \"VR_5\" MASTER 200")
                == KeepalivedNotification(instance: "VR_5", state: .master, priority: 200))
    }

    @Test(
        "What is not a line about an instance is nothing",
        arguments: [
            "", "GROUP \"VG_1\" MASTER 200", "INSTANCE \"VR_5\" DANCING 200", "INSTANCE VR_5 MASTER 200", "INSTANCE \"VR_5\" MASTER",
            "INSTANCE \"VR_5\" MASTER many", "INSTANCE \" MASTER 200", "INSTANCE \"\" MASTER 200", "INSTANCE \"VR_5\" MASTER 200 more",
        ])
    func otherLines(text: String) {
        #expect(KeepalivedNotification(line: text) == nil)
    }

    @Test("Only a master that stays one is master", arguments: KeepalivedNotification.State.allCases)
    func states(state: KeepalivedNotification.State) {
        #expect(state.isMaster == [.master, .masterHeardLowerPriority, .masterPriority].contains(state))
    }

    @Test("Lines are found however the stream is cut", arguments: 1...60)
    func cut(size: Int) {
        let stream = Array("INSTANCE \"VR_1\" BACKUP 200\nINSTANCE \"VR_1\" MASTER 200\nINSTANCE \"VR".utf8)
        var reader = KeepalivedNotificationReader()
        var states: [KeepalivedNotification.State] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            states += reader.read(stream[start..<min(start + size, stream.count)]).map(\.state)
        }
        #expect(states == [.backup, .master])
        #expect(reader.read("_1\" STOP 200\n".utf8).map(\.state) == [.stop])
    }

    @Test("A line without end is skipped, and takes no memory")
    func endless() {
        var reader = KeepalivedNotificationReader()
        #expect(reader.read(repeatElement(UInt8(ascii: "x"), count: 100_000)).isEmpty)
        #expect(reader.read(" INSTANCE \"VR_1\" MASTER 200\nINSTANCE \"VR_1\" BACKUP 200\n".utf8).map(\.state) == [.backup])
    }

    @Test("A member that comes back from a fault as backup must be reloaded, and no other")
    func reload() {
        func note(_ states: KeepalivedNotification.State...) -> Bool {
            var member = KeepalivedMember()
            var mustReload = false
            for state in states { mustReload = member.note(KeepalivedNotification(instance: "VR_1", state: state, priority: 200)) }
            return mustReload
        }
        #expect(note(.backup, .fault, .backup))
        #expect(!note(.backup))
        #expect(!note(.master, .backup))
        #expect(!note(.fault))
        #expect(!note(.fault, .backup, .master))
    }
}
