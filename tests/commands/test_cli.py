"""The command line from a new user's point of view."""

import json
import sys
from importlib.metadata import version

import pandas as pd
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats import commands
from tests.support.command_line import TINY, run


def test_a_study_prints_its_table_and_the_path_of_the_report(capsys, study_file):
    status, out, err = run(capsys, "study", study_file, "--out", study_file.parent / "out")
    assert status == 0
    assert err == ""  # no progress bar without a terminal
    assert "uniform-count+stratified" in out
    assert out.strip().endswith(f"The report is {study_file.parent / 'out' / 'report.html'}")
    first = (study_file.parent / "out" / "report.html").read_text()
    status, out, _ = run(capsys, "report", study_file.parent / "out", "--out", study_file.parent / "again")
    assert status == 0
    assert (study_file.parent / "again" / "report.html").read_text() == first


def test_nll_reads_a_file_and_prints_numbers(capsys, study_file):
    sequences = study_file.parent / "sequences.txt"
    sequences.write_text("ACGTAC\n\nGG\n")
    status, out, _ = run(capsys, "nll", study_file, sequences, "--estimator", "exhaustive", "--passes", 63, "--json")
    assert status == 0
    found = json.loads(out)
    assert found["attributes"]["estimator"] == "exhaustive"
    assert [row["nll"] for row in found["sequences"]] == pytest.approx([row["exact"] for row in found["sequences"]])
    status, out, _ = run(capsys, "nll", study_file, sequences, "--estimator", "time-integral")
    assert "Caution (infinite-variance)" in out
    assert "95 % intervals: design" in out


def test_several_sequences_are_averaged_at_the_end(capsys, study_file):
    sequences = study_file.parent / "sequences.txt"
    sequences.write_text("ACGTAC\nGG\nTTA\n")
    status, out, _ = run(capsys, "nll", study_file, sequences, "--estimator", "exhaustive", "--passes", 63)
    assert status == 0
    *_, heading, _, document, token, bits, macro, perplexity, _, caution = out.splitlines()
    assert heading.split("  ")[0] == "average"
    for row, name in (
        (document, "nats per document"),
        (token, "nats per token"),
        (bits, "bits per token"),
        (macro, "bits per token, mean over documents"),
        (perplexity, "perplexity"),
    ):
        assert row.startswith(f"{name} ")
        assert row.count("[") == 1  # all masks: the interval of these sequences is a point
    assert caution.startswith("Caution (few-documents-dominate): ")
    assert caution.endswith(" (nll, nll_per_token, bits_per_token_macro).")
    _, out, _ = run(capsys, "ratio", study_file, sequences, sequences)
    (share,) = [row for row in out.splitlines() if row.startswith("win-rate of the first")]
    assert share.split()[4] == "0.5000"
    sequences.write_text("ACGTAC\nGGTACC\nTTATGC\n" * 3)
    assert "few-documents" not in run(capsys, "nll", study_file, sequences)[1]
    sequences.write_text("ACGTAC\n")
    assert "of their population" not in run(capsys, "nll", study_file, sequences)[1]


def test_a_diagnosis_is_written_to_the_given_folder(capsys, study_file):
    sequences, folder = study_file.parent / "sequences.txt", study_file.parent / "diagnosis"
    sequences.write_text("ACGTAC\nGGTACC\n")
    for command in (("nll", study_file, sequences), ("ratio", study_file, sequences, sequences)):
        status, out, _ = run(capsys, *command, "--diagnosis", folder / command[0], "--json")
        assert status == 0
        json.loads(out)
        assert "<h1>Diagnosis</h1>" in (folder / command[0] / "diagnosis.html").read_text()


def test_ratio_reads_two_files(capsys, study_file):
    first, second = study_file.parent / "first.txt", study_file.parent / "second.txt"
    first.write_text("ACGT\n")
    second.write_text("ACG\n")
    status, out, _ = run(
        capsys, "ratio", study_file, first, second, "--context", 1, "--estimator", "time-free", "--json"
    )
    assert status == 0
    (pair,) = json.loads(out)["pairs"]
    assert pair["lower"] < pair["log_ratio"] < pair["upper"]
    assert abs(pair["log_ratio"] - pair["exact"]) < 6 * pair["se"]
    assert run(capsys, "ratio", study_file, first, second, "--decoupled")[0] == 0


def test_estimators_and_doctor(capsys):
    status, out, _ = run(capsys, "estimators")
    assert status == 0
    assert "time-free+antithetic" in out
    names = {row["name"] for row in json.loads(run(capsys, "estimators", "--json")[1])}
    assert "exhaustive" in names
    status, out, _ = run(capsys, "doctor")
    assert status == 0
    assert "fine" in out
    found = json.loads(run(capsys, "doctor", "--json")[1])
    assert "torch" in found
    assert found["transformers"] == version("transformers")
    assert {"tokenizers", "safetensors", "einops", "distributed"} <= set(found)


def test_doctor_says_which_optional_packages_are_missing(capsys, monkeypatch):
    monkeypatch.setattr("infodis_stats.commands.installation.OPTIONAL", ("a-package-that-nobody-has",))
    assert json.loads(run(capsys, "doctor", "--json")[1])["a-package-that-nobody-has"] == "not installed"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["study", "absent.toml", "--out", "{folder}/out"], "absent.toml cannot be read"),
        (["study", "{file}", "--out", "{file}/out"], "cannot be written"),
        (["report", "{folder}", "--out", "{folder}/out"], "there is no study"),
        (["nll", "{file}", "{folder}/absent.txt"], "absent.txt cannot be read"),
        (["nll", "{file}", "{folder}/bad.txt"], "bad.txt, line 2: position 1: symbol 'X' is outside"),
        (["nll", "{file}", "{folder}/empty.txt"], "empty.txt contains nothing to score"),
        (["nll", "{file}", "{folder}/good.txt", "--replicates", "1", "--interval", "bca"], "at least 2 replicates"),
        (["nll", "{file}", "{folder}/good.txt", "--interval", "wald"], "there is no interval 'wald'"),
        (["nll", "{file}", "{folder}/good.txt", "--estimator", "chane"], "there is no estimator 'chane'"),
        (["nll", "{file}", "{folder}/good.txt", "--context", "9"], "all 4 tokens are context"),
        (["ratio", "{file}", "{folder}/good.txt", "{folder}/two.txt"], "good.txt has 1 records but"),
        (["ratio", "{file}", "{folder}/good.txt"], "good.txt is plain lines, but pairs are JSON"),
        (["ratio", "austen", "{folder}/good.txt", "{folder}/two.txt"], "good.txt has 1 records but"),
        (["nll", "austen", "{folder}/good.txt", "--context", "1"], "--context is for laws"),
        (["nll", "{file}", "{folder}/good.txt", "--out", "{folder}/x.txt"], "--out must be a .csv or .nc file"),
        (["nll", "{file}", "{folder}/good.txt", "--out", "{file}/x.nc"], "cannot be written"),
        (["nll", "{file}", "{folder}/good.txt", "--diagnosis", "{file}/x"], "cannot be written"),
    ],
)
def test_errors_are_one_line_with_exit_status_2(capsys, study_file, arguments, sentence):
    folder = study_file.parent
    for name, text in {"bad": "ACGT\nAXGT\n", "empty": "\n", "good": "ACGT\n", "two": "AC\nGT\n"}.items():
        (folder / f"{name}.txt").write_text(text)
    before = sorted(folder.rglob("*"))
    status, out, err = run(capsys, *(one.format(file=study_file, folder=folder) for one in arguments))
    assert status == 2
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1
    assert [path for path in sorted(folder.rglob("*")) if path not in before and path.is_file()] == []


def test_a_denoiser_is_trained_on_text_and_scores_a_file(capsys, tmp_path):
    corpus, model = tmp_path / "corpus.txt", tmp_path / "model.safetensors"
    corpus.write_text("abc abd\n" * 200)
    status, out, err = run(capsys, "train", corpus, "--out", model, *TINY)
    assert (status, err) == (0, "")
    assert "Held out: " in out
    assert "bits per symbol, 95 % confidence interval" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.txt", "model.safetensors"]
    again = tmp_path / "again.safetensors"
    run(capsys, "train", corpus, "--out", again, *TINY)
    assert again.read_bytes() == model.read_bytes()
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"prompt": "ab", "response": "c", "id": "one"}\n{"response": "abc abd abc"}\n')
    status, out, _ = run(capsys, "nll", model, pairs, "--overlap", 4, "--json")
    assert status == 0
    one, long = json.loads(out)["sequences"]
    assert one["sequence"] == "one"
    assert (one["tokens"], long["tokens"]) == (1, 11)
    assert one["lower"] <= one["nll"] <= one["upper"]
    assert long["bits per token"] == pytest.approx(long["nll"] / 11 / 0.6931472, rel=1e-6)


def test_results_are_written_as_csv_and_netcdf(capsys, study_file):
    folder = study_file.parent
    (folder / "two.txt").write_text("ACGT\nGG\n")
    status, out, _ = run(capsys, "nll", study_file, folder / "two.txt", "--out", folder / "new" / "nll.csv", "--json")
    assert status == 0
    table = pd.read_csv(folder / "new" / "nll.csv")
    pd.testing.assert_frame_equal(table, pd.DataFrame(json.loads(out)["sequences"]))
    run(capsys, "ratio", study_file, folder / "two.txt", folder / "two.txt", "--out", folder / "ratio.nc")
    with xr.open_dataset(folder / "ratio.nc", engine="h5netcdf") as stored:
        assert stored["log_ratio_replicate"].shape == (2, 8)
        assert stored["log_ratio"].attrs["units"] == "nat"


def test_ratios_of_texts_come_from_one_file_or_from_two(capsys, tmp_path):
    both, first, second = (tmp_path / f"{name}.jsonl" for name in ("both", "first", "second"))
    both.write_text('{"id": "a", "prompt": "It is a ", "first": "truth", "second": "trvth"}')
    first.write_text('{"id": "a", "prompt": "It is a ", "response": "truth"}')
    second.write_text('{"id": "b", "prompt": "It is a ", "response": "trvth"}')
    how = ["--passes", 31, "--replicates", 2, "--estimator", "exhaustive", "--json"]
    status, one, _ = run(capsys, "ratio", "austen", both, *how)
    assert status == 0
    assert json.loads(one)["pairs"] == json.loads(run(capsys, "ratio", "austen", first, second, *how)[1])["pairs"]
    assert json.loads(one)["pairs"][0]["log_ratio"] > 1
    second.write_text('{"prompt": "It was a ", "response": "trvth"}')
    assert "different prompts" in run(capsys, "ratio", "austen", first, second)[2]


def test_a_denoiser_is_trained_on_a_law(capsys, study_file):
    status, out, _ = run(capsys, "train", study_file, "--out", study_file.parent / "law.safetensors", *TINY)
    assert status == 0
    assert "(200 sequences of 8 symbols)" in out


@pytest.mark.parametrize("options", [["--noise", "uniform", "--time"], ["--noise", "uniform"], ["--bpe", 259]])
def test_a_denoiser_of_another_kind_is_trained_on_lines(capsys, tmp_path, options):
    corpus, model = tmp_path / "corpus.txt", tmp_path / "model.safetensors"
    corpus.write_text("abc ab\nabcabc\nbc\n" * 20)
    status, out, err = run(capsys, "train", corpus, "--out", model, "--lines", *options, *TINY)
    assert (status, err) == (0, "")
    assert " symbols)" in out
    records = tmp_path / "two.txt"
    records.write_text("abcab\nbc\n")
    status, out, _ = run(capsys, "nll", model, records, "--passes", 8, "--json")
    assert [row["nll"] > 0 for row in json.loads(out)["sequences"]] == [True, True]


def test_few_held_out_lines_have_no_interval(capsys, tmp_path):
    """Each held-out line is scored once, however often it stands in the file."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("abc\nabd\n")
    held_out = tmp_path / "held_out.txt"
    held_out.write_text("abd\nabc\nabd\n")
    for given, count in ([], "(1 sequence of 3 symbols)"), (["--held-out", held_out], "(2 sequences of 3 symbols)"):
        status, out, _ = run(capsys, "train", corpus, "--lines", "--out", tmp_path / "m.safetensors", *given, *TINY)
        assert status == 0
        assert count in out
        assert "interval" not in out


def test_lines_end_as_they_do_where_texts_are_read(capsys, tmp_path):
    corpus, model = tmp_path / "corpus.txt", tmp_path / "m.safetensors"
    corpus.write_text("ab\x0cc\nab\u2028\n" * 4, encoding="utf-8")
    assert run(capsys, "train", corpus, "--lines", "--out", model, *TINY)[0] == 0
    assert run(capsys, "nll", model, corpus, "--passes", 4)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{law}", "--held-out", "{text}"], "--held-out is for text, but"),
        (["{law}", "--bpe", "300"], "--bpe is for text, but"),
        (["{law}", "{text}"], "is an exact law, which is a corpus by itself: leave out the other files"),
        (["{text}", "{law}"], "is an exact law, which is a corpus by itself: leave out the other files"),
        (["{text}", "--held-out", "{empty}"], "there is no held-out text to evaluate with"),
        (["{empty}", "--lines"], "the corpus has no text to train on"),
        (["{empty}", "--bpe", "300"], "the corpus has no text to train on"),
        (["{text}", "--bpe", "257", "--length", "20"], "the held-out text has 15 tokens, fewer than the length"),
        (["{text}", "--noise", "uniform", "--block-size", "4"], "blocks are for masks"),
        (["{text}", "--time"], "time is for uniform noise"),
        (
            ["{text}", "--lines", "--length", "7", "--held-out", "{long}"],
            "a held-out line has 11 tokens; the model takes",
        ),
    ],
)
def test_a_corpus_that_does_not_suit_is_refused_in_one_line(capsys, study_file, tmp_path, arguments, sentence):
    text, empty = tmp_path / "text.txt", tmp_path / "empty.txt"
    text.write_text("abc abd\n" * 40)
    empty.write_text("")
    (tmp_path / "long.txt").write_text("abc abd abc\n")
    names = [
        argument.format(law=study_file, text=text, empty=empty, long=tmp_path / "long.txt") for argument in arguments
    ]
    status, _, err = run(capsys, "train", *names, "--out", tmp_path / "m.safetensors", *TINY[2:])
    assert status == 2
    assert sentence in err
    assert err.count("\n") == 1


def test_commands_about_masks_refuse_a_network_for_uniform_noise(capsys, tmp_path):
    corpus, model = tmp_path / "corpus.txt", tmp_path / "model.safetensors"
    corpus.write_text("abc abd\n" * 60)
    run(capsys, "train", corpus, "--out", model, "--noise", "uniform", *TINY)
    for command in (["scan", "--out", tmp_path / "scan"], ["consistency"]):
        status, out, err = run(capsys, *command, model, corpus)
        assert (status, out) == (2, "")
        assert "gives score ratios of noised tokens, but this command needs a model that prices masked tokens" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["train", "{folder}/short.txt", "--out", "{folder}/model.safetensors"],
            "a text of 3 characters is too short for a model of length 128: its last part is held out",
        ),
        (["train", "{folder}/short.txt", "--out", "{folder}/model.pt"], "--out must be a .safetensors file"),
        (["train", "{folder}/absent.txt", "--out", "{folder}/m.safetensors"], "cannot be read"),
        (
            ["train", "{file}", "--out", "{folder}/m.safetensors", "--steps", "0"],
            "training needs steps, batch and warmup of at least 1",
        ),
        (["train", "{file}", "--out", "{folder}/m.safetensors", "--width", "10"], "multiple of 2 x heads"),
        (["nll", "{folder}/short.txt", "{folder}/short.txt"], "there is no model"),
        (["nll", "{folder}/absent.safetensors", "{folder}/short.txt"], "there is no model at"),
    ],
)
def test_model_errors_are_one_line(capsys, study_file, arguments, sentence):
    (study_file.parent / "short.txt").write_text("abc")
    status, out, err = run(capsys, *(one.format(file=study_file, folder=study_file.parent) for one in arguments))
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert not list(study_file.parent.glob("*.safetensors"))


def test_an_interrupt_is_reported(capsys, monkeypatch):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "doctor", interrupt)
    assert run(capsys, "doctor") == (130, "", "infodis-stats: interrupted\n")


def test_an_interrupt_during_imports_is_reported(capsys, monkeypatch):
    class Interrupted:
        @staticmethod
        def find_spec(name, *_):
            if name == commands.__name__:
                raise KeyboardInterrupt

    monkeypatch.delattr(ids, "commands")
    monkeypatch.delitem(sys.modules, commands.__name__)
    monkeypatch.setattr(sys, "meta_path", [Interrupted, *sys.meta_path])
    assert run(capsys, "doctor") == (130, "", "infodis-stats: interrupted\n")
