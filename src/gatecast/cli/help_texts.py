"""Help texts, kept apart from the commands so that listing the commands imports no command."""

MAIN = """LSTM forecasting, from the cell to the forecast.

For example

    gatecast demo                              bundled data
    gatecast data sales.csv                    how the file is read and repaired
    gatecast forecast sales.csv --horizon 14   forecast, verdict and report
    gatecast backtest sales.csv --horizon 14   models compared on the past
    gatecast tune sales.csv --horizon 14       search for settings
    gatecast predict model.gatecast new.csv    forecast without training
    gatecast epidemic cases.csv --population 1e6   SEIR beside LSTM, R_t, scenarios
    gatecast nowcast radar.npz                 rain: the next two hours
    gatecast power farm.csv --weather nwp.csv --capacity 50   wind power
    gatecast lab cell                          a trained LSTM from the inside

Exit codes: 0 fine, 1 failure, 2 bad input or usage, 130 interrupted, 143 terminated.
"""

FORECAST = """Forecast a file: backtest against baselines, verdict, forecast, report and model.

The folder (--out) gets forecast.csv, backtest.csv, report.html, model.gatecast and run.json; nothing else is written.
Any option can stand in a TOML file instead: --config settings.toml.

For example

    gatecast forecast sales.csv --horizon 14
    gatecast forecast load.csv --horizon 48 --target load --known temperature --future weather.csv
    gatecast forecast cases.csv --horizon 7 --id region --model auto --levels 50,90 --out week
    gatecast forecast sales.csv --horizon 14 --json | jq .verdict.text
"""

BACKTEST = """Forecast the past of a file and compare the models with what happened.

Nothing is written unless --out is given.

For example

    gatecast backtest sales.csv --horizon 14 --windows 10
    gatecast backtest sales.csv --horizon 14 --model seasonal-naive --out test
"""

TUNE = """Search for settings on the past of a file, test the best on held-out rows and fit it.

The folder (--out) gets best.toml (for --config), model.gatecast, trials.csv, tuning.html and tuning.sqlite3, which
holds the trials: run the same command again to resume a stopped search. Needs pip install "gatecast[tune]".

For example

    gatecast tune sales.csv --horizon 14 --trials 40 --minutes 30
    gatecast tune sales.csv --horizon 14 --fields net.hidden_size,net.dropout,fit.learning_rate
    gatecast forecast sales.csv --horizon 14 --config tune-out/best.toml
"""

PREDICT = """Forecast new data with a saved model, without training.

The file is read with the columns that the model was fitted on; options override them. It holds as many rows as the
model reads, or only the rows after those that the model file keeps.
Nothing is written unless --out is given.

For example

    gatecast predict gatecast-out/model.gatecast new.csv
    gatecast predict model.gatecast new.csv --levels 90 --out today
"""

EXPLAIN_TRAINING = """Say from the learning curves whether a model was still learning, had converged or overfits.

Nothing is written.

For example

    gatecast explain-training gatecast-out/model.gatecast
"""

DATA = """Show how a file is read and what is repaired.

Nothing is written.

For example

    gatecast data sales.csv
    gatecast data sales.csv --time date --target units --id store
"""

FUTURE = """Print the file to fill in with the known covariates of the steps ahead, for --future.

It has a row for each series and step, and a column for each covariate of --known, filled in where the file has rows
after the last target value. It goes to standard output; nothing is written.

For example

    gatecast future sales.csv --horizon 14 --known price,holiday > plan.csv
    gatecast forecast sales.csv --horizon 14 --known price,holiday --future plan.csv
"""

EPIDEMIC = """Forecast an epidemic: SEIR and LSTM against baselines, with R_t, scenarios and a verdict by origin.

The file holds new or cumulative cases per day. Withdrawn cases, days without reports and backlogs are repaired and
listed; at each origin of the backtest, only from what was reported by then. The folder (--out) gets forecast.csv,
backtest.csv, scores.csv, parameters.csv, reproduction.csv, report.html and run.json; nothing else is written.

For example

    gatecast epidemic cases.csv --population 38246108
    gatecast epidemic cases.csv --population people --id region --horizon 14
    gatecast epidemic cases.csv --population 1.4e9 --scenario "shift_days=5" --scenario "contacts=-0.3"
    gatecast epidemic cases.csv --population 1.4e9 --transmission "piecewise(changes=('2020-01-23',))" --models seir
"""

NOWCAST = """Forecast rain from radar fields: the next two hours, with probabilities.

A ConvLSTM that comes with the package (learned from rain over Finland and the Netherlands) corrects naive nowcasts;
with --train it learns from your own events. Rivals in the backtest: persistence, extrapolation along the motion, and
both mixed and smoothed. The folder (--out) gets nowcast.nc, scores.csv, report.html and run.json, with --train
model.gatecast; nothing else is written. Needs pip install "gatecast[rain]".

For example

    gatecast nowcast radar.npz
    gatecast nowcast rain.nc --horizon 2h --units mm --out tonight
    gatecast nowcast today.npz --train june.npz,july.npz
"""

POWER = """Forecast wind power by an ensemble of networks, with weather forecasts as they were known.

The weather has a row for each issue and hour ahead: time of issue, lead in hours, and variables such as u, v and ws. At
each origin, in training, test and forecast, the newest issue that existed counts. The folder (--out) gets forecast.csv,
scores.csv and run.json; nothing else is written. Needs pip install "gatecast[wind]".

For example

    gatecast power farm.csv --weather weather.csv --capacity 50
    gatecast power farms.csv --id farm --weather nwp.csv --site farm --issued date --lead hors --capacity 1
"""

LAB = """See the memory of recurrent networks: their gates, their gradients, the experiments of 1997.

For example

    gatecast lab cell                          gates and memory of an LSTM, on one page
    gatecast lab cell sales.csv --horizon 14   the same on a file
    gatecast lab gradients                     why the LSTM exists: gradients by lag
    gatecast lab memory                        the experiments of 1997, run again
"""

CELL = """Show the inside of a trained LSTM: gates and memory over time, the four steps in numbers, what it leans on.

A small LSTM is trained on the file (without one, on air passengers; a second or two). The folder (--out) gets cell.html
and run.json. The page needs no network.

For example

    gatecast lab cell
    gatecast lab cell sales.csv --horizon 14 --hidden 8 --series north
"""

GRADIENTS = """Measure gradients by lag of RNN, GRU, LSTM and LSTM1997 beside theory.

At the start and after training, by forget bias, spectral radius and depth, with and without clipping (15 seconds). The
folder (--out) gets gradients.html, which needs no network, gradients.csv and run.json.

For example

    gatecast lab gradients
    gatecast lab gradients --lag 200 --hidden 64 --recall 80
"""

MEMORY = """Run the experiments of Hochreiter & Schmidhuber 1997 again, beside the published figures.

Networks, weight counts, learning rates, biases and truncated gradient are the paper's. The folder (--out) gets
memory.html, which needs no network, memory.csv, run.json and outcomes.json, which holds what is finished: run the same
command again to resume, or to add experiments.

For example

    gatecast lab memory                        those that take minutes
    gatecast lab memory 6a 3a --seeds 3 --no-rivals
    gatecast lab memory --list
"""

LAB_COMMANDS = {"cell": CELL, "gradients": GRADIENTS, "memory": MEMORY}

DEMO = """Forecast bundled real data (COVID-19 in India, China or Canada; rain over Finland).

For example

    gatecast demo
    gatecast demo epidemic
    gatecast demo rain
    gatecast demo --dataset air_passengers --horizon 12
"""

BUILD_KERNELS = """Compile the CPU kernels of the LSTM, where the installation had no compiler or no PyTorch.

Needs a C++ compiler (c++, g++, clang++, or the one that CXX names) and about a minute. The library is written into the
installed package, or into $XDG_CACHE_HOME/gatecast (~/.cache/gatecast) if the package is read-only; nothing else is
written. Kernels that are there already are left as they are.

For example

    gatecast build-kernels
    CXX=clang++ gatecast build-kernels --force
"""

PRETRAIN = """Train the zero-shot LSTM anew, on synthetic series only: its weights and their card.

The defaults and one thread made the weights of the package, in a few minutes of one core. The folder (--out) gets
zeroshot.safetensors, zeroshot.json and run.json; nothing else is written.

For example

    gatecast pretrain
    gatecast pretrain --seed 1 --steps 4000 --out seed1
"""

COMMANDS = {
    "forecast": FORECAST,
    "backtest": BACKTEST,
    "tune": TUNE,
    "predict": PREDICT,
    "data": DATA,
    "future": FUTURE,
    "explain-training": EXPLAIN_TRAINING,
    "epidemic": EPIDEMIC,
    "nowcast": NOWCAST,
    "power": POWER,
    "lab": LAB,
    "pretrain": PRETRAIN,
    "demo": DEMO,
    "build-kernels": BUILD_KERNELS,
}
