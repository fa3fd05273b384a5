//! What the simulated disk promises to the tests that use it.

use std::io::IoSlice;

use super::*;

fn write(file: &Arc<dyn DiskFile>, data: &[u8], offset: u64) {
    let written = file.write_at(&[IoSlice::new(data)], offset).unwrap();
    assert_eq!(written, data.len());
}

fn read(disk: &SimulatedDisk, path: &str) -> Option<Vec<u8>> {
    let file = disk.open(Path::new(path)).ok()?;
    let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    Some(bytes)
}

/// A disk with a durable file `f` of two sectors of 1s.
fn disk_with_file() -> (SimulatedDisk, Arc<dyn DiskFile>) {
    let disk = SimulatedDisk::new(1);
    let file = disk.create(Path::new("f")).unwrap();
    write(&file, &[1; 1_024], 0);
    file.sync().unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    (disk, file)
}

#[test]
fn what_was_synced_survives_every_power_cut() {
    let (disk, file) = disk_with_file();
    write(&file, &[2; 10], 1_024);
    let mut random = Random::new(3);
    for survival in [Survival::Nothing, Survival::Everything, Survival::Random] {
        for _ in 0..50 {
            let image = disk.after_power_cut(&mut random, survival);
            let bytes = read(&image, "f").unwrap();
            assert_eq!(bytes[..1_024], [1; 1_024]);
            assert!(bytes.len() == 1_024 || bytes.len() == 1_034);
        }
    }
}

#[test]
fn a_power_cut_leaves_every_mixture_of_unsynced_sectors() {
    let (disk, file) = disk_with_file();
    write(&file, &[2; 1_024], 0);
    let mut random = Random::new(4);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let image = disk.after_power_cut(&mut random, Survival::Random);
        let bytes = read(&image, "f").unwrap();
        assert!(bytes[..512].iter().all(|&byte| byte == bytes[0]));
        assert!(bytes[512..].iter().all(|&byte| byte == bytes[512]));
        seen.insert((bytes[0], bytes[512]));
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [(1, 1), (1, 2), (2, 1), (2, 2)]
    );
}

#[test]
fn a_sector_keeps_a_state_that_it_had_and_no_other() {
    let (disk, file) = disk_with_file();
    write(&file, &[2; 100], 0);
    write(&file, &[3; 100], 50);
    let mut random = Random::new(5);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let bytes = read(&disk.after_power_cut(&mut random, Survival::Random), "f").unwrap();
        seen.insert((bytes[0], bytes[60], bytes[120]));
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [(1, 1, 1), (2, 2, 1), (2, 3, 3)]
    );
}

#[test]
fn a_name_is_durable_only_after_its_directory_was_synced() {
    let disk = SimulatedDisk::new(1);
    disk.create_dir(Path::new("d/e")).unwrap();
    let file = disk.create(Path::new("d/e/f")).unwrap();
    write(&file, b"x", 0);
    file.sync().unwrap();
    disk.sync_dir(Path::new("d/e")).unwrap();
    disk.sync_dir(Path::new("d")).unwrap();
    let lost = disk.after_power_cut(&mut Random::new(1), Survival::Nothing);
    assert!(lost.list(Path::new("")).unwrap().is_empty());
    disk.sync_dir(Path::new("")).unwrap();
    let kept = disk.after_power_cut(&mut Random::new(1), Survival::Nothing);
    assert_eq!(read(&kept, "d/e/f").unwrap(), b"x");
}

#[test]
fn a_rename_happens_as_a_whole_or_not_at_all() {
    let (disk, _) = disk_with_file();
    disk.create(Path::new("g")).unwrap();
    disk.sync_all().unwrap();
    disk.rename(Path::new("f"), Path::new("g")).unwrap();
    let mut random = Random::new(6);
    let mut seen = [0; 2];
    for _ in 0..100 {
        let image = disk.after_power_cut(&mut random, Survival::Random);
        let lengths = image.files();
        match lengths.len() {
            1 => assert_eq!(lengths[0], (PathBuf::from("g"), 1_024)),
            _ => assert_eq!(lengths[1], (PathBuf::from("g"), 0)),
        }
        seen[lengths.len() - 1] += 1;
    }
    assert!(0 < seen[0] && 0 < seen[1], "{seen:?}");
}

#[test]
fn a_removed_directory_takes_its_files_along_and_they_stay_away() {
    let disk = SimulatedDisk::new(1);
    disk.create_dir(Path::new("d")).unwrap();
    disk.create(Path::new("d/f")).unwrap();
    disk.sync_all().unwrap();
    disk.remove_dir(Path::new("d")).unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    disk.create_dir(Path::new("d")).unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    for survival in [Survival::Nothing, Survival::Everything] {
        let image = disk.after_power_cut(&mut Random::new(1), survival);
        assert!(image.list(Path::new("d")).unwrap().is_empty());
    }
}

#[test]
fn a_kill_loses_nothing_that_was_written_and_makes_nothing_durable() {
    let (disk, file) = disk_with_file();
    write(&file, &[2; 512], 0);
    let killed = disk.after_kill();
    assert_eq!(read(&killed, "f").unwrap()[0], 2);
    let cut = killed.after_power_cut(&mut Random::new(1), Survival::Nothing);
    assert_eq!(read(&cut, "f").unwrap()[0], 1);
}

#[test]
fn after_a_failed_sync_a_later_one_does_not_bring_the_bytes_back() {
    for (after, reads, survives) in [
        (AfterFailedSync::StillDirty, 2, true),
        (AfterFailedSync::CleanButLost, 2, false),
        (AfterFailedSync::Reverted, 1, false),
    ] {
        let mut lost = 0;
        for seed in 0..40 {
            let (disk, file) = disk_with_file();
            disk.machine().random = Random::new(seed);
            disk.set_after_failed_sync(after);
            write(&file, &[2; 512], 0);
            disk.plan(Fault::at(1, Failure::Io));
            assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(5));
            let read_after = read(&disk, "f").unwrap()[0];
            assert!(read_after == reads || read_after == 2);
            file.sync().unwrap();
            let cut = disk.after_power_cut(&mut Random::new(1), Survival::Nothing);
            lost += u64::from(read(&cut, "f").unwrap()[0] == 1);
        }
        assert_eq!(lost == 0, survives, "{after:?}");
    }
}

#[test]
fn the_nth_call_fails_and_the_one_after_does_not() {
    let (disk, file) = disk_with_file();
    disk.plan(Fault {
        call: Some(Call::WriteAt),
        under: PathBuf::from("f"),
        nth: 2,
        times: 2,
        failure: Failure::NoSpace,
    });
    write(&file, b"a", 0);
    for _ in 0..2 {
        let error = file.write_at(&[IoSlice::new(b"b")], 0).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(28));
    }
    write(&file, b"c", 0);
    assert_eq!(disk.faults_hit(), 2);
    assert_eq!(disk.calls(Some(Call::WriteAt)), 5);
    disk.plan(Fault::at(1, Failure::Short));
    assert_eq!(file.write_at(&[IoSlice::new(&[0; 9])], 0).unwrap(), 5);
}

#[test]
fn a_full_disk_takes_what_fits_and_then_nothing_until_it_grows() {
    let (disk, file) = disk_with_file();
    disk.set_capacity(1_030);
    assert_eq!(disk.space().unwrap().free_bytes, 6);
    assert_eq!(file.write_at(&[IoSlice::new(&[3; 10])], 1_024).unwrap(), 6);
    let full = Some(28);
    let refused = file.write_at(&[IoSlice::new(b"x")], 1_030).unwrap_err();
    assert_eq!(refused.raw_os_error(), full);
    assert_eq!(file.reserve(1_031).unwrap_err().raw_os_error(), full);
    write(&file, &[4; 100], 0);
    disk.set_capacity(2_000);
    file.reserve(2_000).unwrap();
    assert_eq!(disk.space().unwrap().free_bytes, 0);
    disk.remove(Path::new("f")).unwrap();
    assert_eq!(
        disk.space().unwrap().free_bytes,
        0,
        "the file is still open"
    );
    drop(file);
    assert_eq!(disk.space().unwrap().free_bytes, 2_000);
}

#[test]
fn a_recording_plays_back_to_what_was_on_the_disk_at_each_change() {
    let (disk, file) = disk_with_file();
    disk.record();
    let mut expected = vec![read(&disk, "f").unwrap()];
    for value in 2..6 {
        write(&file, &[value; 600], u64::from(value) * 100);
        expected.push(read(&disk, "f").unwrap());
    }
    assert_eq!(disk.recorded(), 4);
    let mut replay = disk.trace().unwrap().replay();
    loop {
        let image = replay.after_power_cut(&mut Random::new(1), Survival::Everything);
        assert_eq!(read(&image, "f").unwrap(), expected[replay.done()]);
        if !replay.advance() {
            break;
        }
    }
    assert_eq!(replay.done(), 4);
}

#[test]
fn a_flipped_byte_reads_flipped_and_stays_so() {
    let (disk, _) = disk_with_file();
    assert!(disk.flip(Path::new("f"), 3, 0x10));
    assert!(!disk.flip(Path::new("f"), 1_024, 1));
    assert!(!disk.flip(Path::new("g"), 0, 1));
    let cut = disk.after_power_cut(&mut Random::new(1), Survival::Nothing);
    assert_eq!(read(&cut, "f").unwrap()[2..5], [1, 0x11, 1]);
}

#[test]
fn a_second_opener_of_the_disk_is_refused_until_the_first_lets_go() {
    let disk = SimulatedDisk::new(1);
    let guard = disk.lock().unwrap();
    let refused = disk.clone().lock().err().map(|error| error.kind());
    assert_eq!(refused, Some(io::ErrorKind::WouldBlock));
    drop(guard);
    disk.lock().unwrap();
}

#[test]
fn a_page_that_went_bad_fails_reads_that_come_to_it_and_no_others() {
    let disk = SimulatedDisk::new(1);
    let file = disk.create(Path::new("f")).unwrap();
    write(&file, &[1; 3 * 4_096], 0);
    disk.spoil(Path::new("f"), 5_000..5_001);
    let read = |from| file.read_at(&mut [0; 4_096], from);
    assert_eq!((read(0).unwrap(), read(8_192).unwrap()), (4_096, 4_096));
    for from in [1, 4_096, 8_191] {
        let error = read(from).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::IO.raw_os_error()));
    }
    disk.forget_faults();
    assert_eq!(read(1).unwrap(), 4_096);
}
