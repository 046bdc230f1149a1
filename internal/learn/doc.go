// Package learn predicts the trust score of a forecast before it is known, and
// learns from it afterwards: an online model, one for each task.
//
// # Guarantees
//
//   - Predict comes before Learn and only reads, so every error is one of a
//     prediction (TestModel_PredictOnlyReads). No field of the forecast is an
//     input; package series says what is.
//   - Predictions are in [0,1], and nothing that is not a finite number enters or
//     arises, whatever comes (FuzzModel, TestModel_StaysBoundedWhenNothingIsToLearn).
//     What cannot be learned from is a Fault to count, and costs nothing else
//     (TestModel_FaultsAreTypedAndHarmless).
//   - A model of 4,539 bytes is restored to the bit
//     (TestModel_RestoredGoesOnTheSame), and garbage is refused (FuzzModel_Garbage).
//   - It allocates nothing and has no clock, no randomness, and no operation that
//     an architecture may fuse.
//
// # The model
//
// A stream's trust is close to what it was: the last score is a strong prediction.
// The model predicts the change from it, linear in the features, by recursive
// least squares with forgetting and regularisation (regression.go). Accuracy is kept
// beside that of two naive predictors, the stream's last score and the mean of its
// scores.
//
// On the 2,959 sample forecasts (28 streams), in the order of time, the mean
// absolute error is 0.0098, of the last score 0.0126, of the mean 0.0272; with the
// streams spread over eight tasks, each of which has its own model, 0.0117
// (TestModel_BeatsTheNaivePredictorsOnTheSample and …WithATaskEach print it).
//
// # Decisions
//
// What was tried on the sample, as mean absolute errors with one model for all:
//
//   - features of the values alone, on top of the last score: 0.0112, where
//     the scores' own history gives 0.0111, and both 0.0108: the size of moves
//     counts more than their place;
//   - directions (balance, turn, mixture) as well: 0.0096, and how straight the
//     way was: 0.0094 to 0.0098. They stay. So do the values' own features, at a
//     tenth of their size: they cost up to 0.0002 here, and say most where scores do
//     follow the level;
//   - the mean in place of the last score as the base: worse throughout, by a
//     half and more until much has been learned;
//   - squared error alone against Huber's: 0.0001 worse;
//   - forgetting from 0.99 to 0.998 and ridge from 0.03 to 0.3: 0.0096 to 0.0103.
//     Below 0.99 the covariance loses its rank to rounding. What was taken lies in
//     the middle, not at the best: 28 streams say little about others;
//   - a model for each stream would have a hundred forecasts to learn 32 weights
//     from.
//
// The prediction error of a stream, not the prediction, is part of its next
// forecast's risk (scoring.RiskRules): what cannot be foreseen is a risk. So no
// prediction feeds on itself.
package learn
