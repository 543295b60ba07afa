"""``gatecast.nn.LSTM`` in place of ``torch.nn.LSTM``: same weights, same results, and options that PyTorch lacks.

The task: read the weekly growth of COVID-19 cases in a state of India and predict that of the next week. The sequences
begin with the hundredth case, so they have different lengths; there is nothing to sort or pack.
"""

import torch
from torch.nn.utils.rnn import pad_sequence

from gatecast import datasets, nn, ops

HIDDEN = 32


def growth() -> list[torch.Tensor]:
    """Weekly growth of the cases of each state, log(this week / last week), from the hundredth case on."""
    found = []
    for _, values in datasets.load("covid_india_states"):
        days = torch.tensor(values[:, 0]).nan_to_num().clamp(min=0)
        days = days[days.cumsum(0) >= 100]
        weeks = days[len(days) % 7 :].reshape(-1, 7).sum(1)
        if len(weeks) > 20:
            found.append(torch.log((weeks[1:] + 10) / (weeks[:-1] + 10)).float())
    return found


def main() -> None:
    torch.manual_seed(0)
    series = growth()
    x = pad_sequence([one[:-1, None] for one in series], batch_first=True)
    y = pad_sequence([one[1:] for one in series], batch_first=True)
    lengths = torch.tensor([len(one) - 1 for one in series])
    counts = torch.arange(x.shape[1]) < lengths[:, None]  # False in the padding

    # A layer of PyTorch hands over its weights as they are, and the results are the same.
    theirs = torch.nn.LSTM(1, HIDDEN, batch_first=True)
    lstm = nn.LSTM(1, HIDDEN, batch_first=True, recurrent_dropout=0.1)
    lstm.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(lstm.eval()(x)[0], theirs(x)[0])
    print(f"{len(series)} sequences of {lengths.min()} to {lengths.max()} weeks")
    print("runs:", ops.explain(lstm, x, lengths=lengths))

    head = torch.nn.Linear(HIDDEN, 1)
    optimizer = torch.optim.AdamW([*lstm.parameters(), *head.parameters()], lr=0.01)
    lstm.train()
    for step in range(1, 91):
        output, _ = lstm(x, lengths=lengths)
        loss = (head(output)[..., 0] - y)[counts].abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 30 == 0:
            print(f"step {step}: mean absolute error {loss:.3f}")
    print(f"growth stays as in the last week: {(x[..., 0] - y)[counts].abs().mean():.3f}")


if __name__ == "__main__":
    main()
